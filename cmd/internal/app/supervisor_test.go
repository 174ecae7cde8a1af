package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// systemd is the socket of a service manager.
type systemd struct{ conn *net.UnixConn }

// asService makes this process a service of a manager, with a watchdog of this time.
func asService(t *testing.T, watchdog string) systemd {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", watchdog)
	t.Setenv("WATCHDOG_PID", "")
	return systemd{conn}
}

// await returns the messages until, in any order, a message with each prefix of want has
// come. The announcement and the line of status come from two goroutines.
func (s systemd) await(t *testing.T, want ...string) (all []string) {
	t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	for len(want) > 0 {
		n, err := s.conn.Read(b)
		if err != nil {
			t.Fatalf("no %q after %q: %v", want, slices.Compact(all), err)
		}
		message := string(b[:n])
		all = append(all, message)
		want = slices.DeleteFunc(want, func(begin string) bool { return strings.HasPrefix(message, begin) })
	}
	return all
}

// TestSupervisor holds that systemd reads the activity of the proxy in its line of
// status, and gets signs for its watchdog as long as the proxy answers probes.
func TestSupervisor(t *testing.T) {
	manager := asService(t, "400000")
	var hangs atomic.Bool
	r := run(t, settings(database(t)), func(a *App) {
		answers := a.alive
		a.alive = func(ctx context.Context) error {
			if hangs.Load() {
				return errors.New("no answer")
			}
			return answers(ctx)
		}
	})
	manager.await(t, "READY=1", "STATUS=serving, ", "WATCHDOG=1")

	resp, err := http.Post(r.url("/cache/maintenance"), "application/json", strings.NewReader(`{"on":true}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	since := r.proxy.Maintenance().Since.Local().Format(time.DateTime)
	manager.await(t, "STATUS=maintenance mode since "+since+"; serving, ")

	hangs.Store(true)
	r.awaitLog(t, "does not answer its own probe")
	r.stop()
	left := manager.await(t, "STATUS=stopping, ")
	if last := left[len(left)-2]; last != "STOPPING=1" {
		t.Errorf("before the last line: %s", last)
	}
	if err := r.wait(t); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// TestSupervisorNamesAnOutage holds that the line of status names a database that is
// down, and that the proxy is started and watched nevertheless.
func TestSupervisorNamesAnOutage(t *testing.T) {
	manager := asService(t, "400000")
	r := run(t, map[string]string{"LISTEN_ADDR": "127.0.0.1:0", "DATABASE_SOCKET": filepath.Join(t.TempDir(), "none"), "DATABASE_PASSWORD": "x"})
	manager.await(t, "READY=1", "STATUS=the database has been down since ", "WATCHDOG=1")
	r.stop()
	if err := r.wait(t); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// TestSignsEndWithTheAnswers holds that the watchdog gets no sign from a proxy that
// does not answer.
func TestSignsEndWithTheAnswers(t *testing.T) {
	manager := asService(t, "1000000")
	var hangs error
	a := &App{log: slog.New(slog.DiscardHandler), alive: func(context.Context) error { return hangs }}
	s := &supervisor{app: a, watchdog: time.Minute}
	s.sign(t.Context())
	s.sign(t.Context()) // not due yet
	hangs = errors.New("no answer")
	s.signed = time.Time{}
	s.sign(t.Context())
	a.notify("END=1")
	if got := manager.await(t, "END=1"); len(got) != 2 || got[0] != "WATCHDOG=1" {
		t.Errorf("%q", got)
	}
}
