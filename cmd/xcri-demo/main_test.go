package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/conformance"
)

// asDemo is the variable that makes the test binary run the demo in its own process.
const asDemo = "XCRI_DEMO_MAIN"

// stopsWithin is the time within which the demo must end.
const stopsWithin = 5 * time.Second

var url = regexp.MustCompile(`http://\S+`)

// readURLs returns the URLs that the demo prints before it serves.
func readURLs(t *testing.T, stdout io.Reader) (urls []string) {
	t.Helper()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if u := url.FindString(lines.Text()); u != "" {
			urls = append(urls, u)
		}
		if strings.Contains(lines.Text(), "Ctrl-C") {
			return urls
		}
	}
	t.Fatalf("ended early, after %q: %v", urls, lines.Err())
	return nil
}

func get(t *testing.T, url string) []byte {
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
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: status %d, %s", url, resp.StatusCode, body)
	}
	return body
}

func TestDemo(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stdout, w := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"--listen", "127.0.0.1:0"}, w, &stderr)
		w.Close()
		ended <- err
	}()
	urls := readURLs(t, stdout)
	if len(urls) != len(pages) {
		t.Errorf("prints %d URLs, not %d", len(urls), len(pages))
	}
	for _, u := range urls {
		body := get(t, u)
		if page := bytes.HasPrefix(body, []byte("<!doctype html>")); page != (strings.HasSuffix(u, opsRoom) || strings.HasSuffix(u, noticePreview)) || !page && !json.Valid(body) {
			t.Errorf("%s is neither JSON nor a page: %s", u, body)
		}
		if bytes.Contains(body, []byte(`"total":0,`)) {
			t.Errorf("%s suggests an empty page: %s", u, body)
		}
	}
	base, _, _ := strings.Cut(urls[0], opsRoom)
	conformance.Check(t, base)
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(stopsWithin):
		t.Fatal("does not stop")
	}
	if stderr.Len() > 0 {
		t.Errorf("says on stderr: %s", &stderr)
	}
}

func TestInterrupt(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "--listen", "127.0.0.1:0")
			cmd.Env = append(os.Environ(), asDemo+"=1")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			urls := readURLs(t, stdout)
			get(t, urls[0])
			// A browser keeps such an idle connection open.
			addr, _, _ := strings.Cut(strings.TrimPrefix(urls[0], "http://"), "/")
			spare, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer spare.Close()

			began := time.Now()
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, &stderr)
			}
			if d := time.Since(began); d > stopsWithin {
				t.Errorf("took %v to end", d)
			}
		})
	}
}

func TestStoppedWhileLoading(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := run(ctx, nil, io.Discard, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestCommandLine(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want error
		says string
	}{
		{"help", []string{"-h"}, flag.ErrHelp, "127.0.0.1:8000, or a free port"},
		{"unknown flag", []string{"--port", "1"}, errUsage, "not defined: -port"},
		{"no member", []string{"--members", "0"}, errUsage, "-members must be from 1 to 9"},
		{"no port", []string{"--listen", "foo"}, errUsage, `-listen "foo": want host:port, such as 127.0.0.1:8000`},
		{"no number", []string{"--listen", "127.0.0.1:http"}, errUsage, "want host:port"},
		{"too high a port", []string{"--listen", ":65536"}, errUsage, "want host:port"},
		{"a socket", []string{"--listen", "unix:/run/demo"}, errUsage, "want host:port"},
		{"argument", []string{"8000"}, errUsage, `takes no arguments, but there is ["8000"]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stderr bytes.Buffer
			if err := run(t.Context(), test.args, io.Discard, &stderr); !errors.Is(err, test.want) {
				t.Errorf("error %v, not %v", err, test.want)
			}
			if !strings.Contains(stderr.String(), test.says) {
				t.Errorf("says %q, not %q", &stderr, test.says)
			}
		})
	}
}

func TestAddressTaken(t *testing.T) {
	db, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	taken, err := net.Listen("tcp", usualAddr)
	if err != nil {
		t.Logf("another process has it: %v", err) // also a taken port
	} else {
		defer taken.Close()
	}

	if _, _, err := newApp(db, usualAddr, "", log); err == nil || !strings.HasPrefix(err.Error(), "-listen "+usualAddr+": bind: ") {
		t.Errorf("with the flag: %v", err)
	}
	a, base, err := newApp(db, "", "", log)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Addr().String(); got == usualAddr || !strings.HasPrefix(base, "http://"+got) {
		t.Errorf("listens on %s and says %s", got, base)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := a.Run(ctx); err != nil {
		t.Error(err)
	}

	if _, _, err := newApp(db, usualAddr, "", log); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("asked for a taken address: %v", err)
	}
}
