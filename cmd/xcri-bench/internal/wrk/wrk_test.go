package wrk

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

const wrkOutput = `Running 2s test @ http://127.0.0.1:18080/
  1 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.05ms    1.20ms  30.06ms   93.01%
    Req/Sec    50.46k     4.77k   57.26k    65.00%
  Latency Distribution
     50%  784.00us
     75%    1.16ms
     90%    1.95ms
     99%    5.78ms
  100542 requests in 2.10s, 127.43MB read
`

const wrkFailures = `  Socket errors: connect 1, read 20, write 300, timeout 4000
  Non-2xx or 3xx responses: 50000
`

func TestParseWrk(t *testing.T) {
	want := Result{Requests: 100542, Seconds: 2.1, P99: 5780 * time.Microsecond}
	if got, err := parseWrk(wrkOutput + "Requests/sec:  50232.12\n"); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	want.Failed = 54321
	if got, err := parseWrk(wrkOutput + wrkFailures); err != nil || got != want {
		t.Errorf("with failures: got %+v, %v, want %+v", got, err, want)
	}
	for _, out := range []string{"", "unable to connect", strings.Replace(wrkOutput, "2.10s", "2.10x", 1), strings.Replace(wrkOutput, "99% ", "98% ", 1)} {
		if got, err := parseWrk(out); err == nil {
			t.Errorf("%q: got %+v and no error", out, got)
		}
	}
}

// needWrk skips a test if wrk is not installed, except in CI, or if there is no core
// for it.
func needWrk(t *testing.T) {
	t.Helper()
	need.Program(t, "wrk", "wrk")
	if runtime.NumCPU() < 2 {
		t.Skip("two cores are needed")
	}
}

// A client sends requests only while it runs, and no process is left after its end.
func TestClientIsStopped(t *testing.T) {
	needWrk(t)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	c, err := Start(t.Context(), Load{URL: server.URL, Connections: 3, Length: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Kill()
	if stopped := stateOf(c); stopped != "T" {
		t.Errorf("it is in state %s after its start, want T", stopped)
	}
	if err := c.Run(t.Context(), 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	done, err := c.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Requests under way at the end are not counted, and the first is a test request.
	if had := asked.Load(); done.Requests == 0 || done.Requests > had || had > done.Requests+int64(c.Connections)+1 {
		t.Errorf("wrk counts %d requests, the server %d", done.Requests, had)
	}
	if done.Seconds != c.ran.Seconds() || c.ran < 70*time.Millisecond {
		t.Errorf("it ran for %v, and %v s count", c.ran, done.Seconds)
	}
}

func TestKillEndsAStoppedClient(t *testing.T) {
	needWrk(t)
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for _, cancelled := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c, err := Start(ctx, Load{URL: server.URL, Connections: 1, Length: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if cancelled {
			cancel()
		} else {
			c.Kill()
		}
		select {
		case <-c.ended:
		case <-time.After(time.Minute):
			t.Errorf("cancelled %v: it is in state %s", cancelled, stateOf(c))
			c.Kill()
		}
	}
}

func TestClientWithoutServer(t *testing.T) {
	needWrk(t)
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if _, err := Start(t.Context(), Load{URL: server.URL, Connections: 50, Length: time.Second}); err == nil {
		t.Error("no error")
	}
}

// stateOf returns the letter of the process's state in /proc/PID/stat, after the
// signal has taken effect.
func stateOf(c *Client) (state string) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && state != "T"; time.Sleep(time.Millisecond) {
		line := machine.Read(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
		_, after, _ := strings.Cut(line, ") ")
		state, _, _ = strings.Cut(after, " ")
	}
	return state
}
