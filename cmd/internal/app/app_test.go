package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/conformance"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

func TestMain(m *testing.M) { os.Exit(scratch.Main(m)) }

func database(t *testing.T) *mariadb.Server { return scratch.Server(t) }

// settings returns the settings of a proxy on a server with the sample data.
func settings(db *mariadb.Server) map[string]string {
	return map[string]string{
		"LISTEN_ADDR": "127.0.0.1:0", "DATABASE_HOST": db.Host, "DATABASE_PORT": strconv.Itoa(db.Port),
		"DATABASE_NAME": mariadb.Database, "DATABASE_USER": mariadb.Reader, "DATABASE_PASSWORD": mariadb.Password,
		"SHUTDOWN_TIMEOUT": "10s",
	}
}

// running is an App whose Run was called.
type running struct {
	*App
	log  *proxytest.Log
	stop context.CancelFunc
	done chan error
}

// run starts an App after the given change.
func run(t *testing.T, flags map[string]string, changes ...func(*App)) *running {
	t.Helper()
	cfg, err := config.Load(flags, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	log := &proxytest.Log{}
	a, err := New(cfg, Program{Version: "test"}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change(a)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{a, log, stop, make(chan error, 1)}
	go func() { r.done <- a.Run(ctx) }()
	t.Cleanup(stop)
	return r
}

func (r *running) url(path string) string { return "http://" + r.Addr().String() + path }

// wait returns Run's error once it has ended.
func (r *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(time.Minute):
		t.Fatalf("still running; log:\n%s", r.log)
		return nil
	}
}

// awaitLog returns once the log holds text.
func (r *running) awaitLog(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(r.log.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %q in the log:\n%s", text, r.log)
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestServe(t *testing.T) {
	r := run(t, settings(database(t)))
	r.awaitLog(t, "database ready")
	conformance.Check(t, r.url("/iz/xcri/api"))
	r.stop()
	if err := r.wait(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := net.DialTimeout("tcp", r.Addr().String(), time.Second); err == nil {
		t.Error("still listening after Run has ended")
	}
}

func TestServeOverSocket(t *testing.T) {
	flags := settings(database(t))
	flags["DATABASE_SOCKET"], flags["DATABASE_HOST"] = database(t).Socket, "nowhere.invalid"
	r := run(t, flags)
	r.awaitLog(t, "database ready")
	if status, body := get(t, r.url("/metadata/latest/date")); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

// TestStopsForSetupErrors holds that a wrong password or a missing table ends
// the proxy with an error that names the settings to check, without the password.
func TestStopsForSetupErrors(t *testing.T) {
	for name, change := range map[string][2]string{
		"password": {"DATABASE_PASSWORD", "my wrong secret"}, "database": {"DATABASE_NAME", "nowhere"},
		"table": {"DATABASE_NAME", "information_schema"}, "user": {"DATABASE_USER", "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			flags := settings(database(t))
			flags[change[0]] = change[1]
			err := run(t, flags).wait(t)
			if !errors.Is(err, store.ErrSetup) || !strings.Contains(err.Error(), "DATABASE_PASSWORD") {
				t.Errorf("got %v", err)
			}
			if strings.Contains(err.Error(), "my wrong secret") {
				t.Error("the error shows the password")
			}
		})
	}
}

func TestAddressInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	flags := settings(database(t))
	flags["LISTEN_ADDR"] = ln.Addr().String()
	cfg, err := config.Load(flags, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg, Program{Version: "test"}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "LISTEN_ADDR") {
		t.Errorf("got %v", err)
	}
}

// TestDatabaseDownAtStart holds that without a database the proxy answers the requests
// that need none, logs the error, and becomes ready with the database.
func TestDatabaseDownAtStart(t *testing.T) {
	db, err := mariadb.Start(mariadb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { db.Close() }()
	db.Kill()
	r := run(t, settings(db))
	r.awaitLog(t, "database not ready")
	if status, body := get(t, r.url("/teams/")); status != http.StatusServiceUnavailable || !strings.Contains(body, "not available") {
		t.Errorf("while it is down: %d %s", status, body)
	}
	if status, body := get(t, r.url("/health")); status != 200 || !strings.Contains(body, `"unhealthy"`) {
		t.Errorf("health while it is down: %d %s", status, body)
	}
	if err := db.Run(); err != nil {
		t.Fatal(err)
	}
	r.awaitLog(t, "the origin is back")
	if status, _ := get(t, r.url("/teams/")); status != 200 {
		t.Errorf("after its return: %d", status)
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

// TestStopFinishesAnswers holds that an answer whose fill is under way at a stop is
// delivered completely.
func TestStopFinishesAnswers(t *testing.T) {
	db := database(t)
	root, err := db.Root(mariadb.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	r := run(t, settings(db))
	r.awaitLog(t, "generation published") // otherwise a fill of the warm set would wait for the lock

	// A lock on a table holds back the fill until it is released.
	lock, err := root.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := lock.ExecContext(t.Context(), "LOCK TABLES iz_rankings_xcri_team_rankings WRITE"); err != nil {
		t.Fatal(err)
	}
	type answer struct {
		status int
		body   string
	}
	answered := make(chan answer, 1)
	go func() {
		defer close(answered) // also if there is no answer
		status, body := get(t, r.url("/teams/?season_year=2025&limit=7"))
		answered <- answer{status, body}
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		var waiting int
		if err := root.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table%'").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		if waiting > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no fill waits for the lock")
		}
	}
	r.stop()
	r.awaitLog(t, "stopping")
	if _, err := lock.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	if a := <-answered; a.status != 200 || !strings.HasSuffix(a.body, "]}") {
		t.Errorf("the answer under way: %d %.100s", a.status, a.body)
	}
	if err := r.wait(t); err != nil {
		t.Errorf("stop: %v", err)
	}
}
