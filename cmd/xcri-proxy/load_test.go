package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	loadClients = 20
	// promptly is the time within which a client must send its next request so that
	// a stopping proxy, which waits for a second, keeps the connection. On a busy
	// machine a test client may be late.
	promptly = 900 * time.Millisecond
)

// traffic is a set of clients that send requests until they are stopped. Each request
// must get a complete and correct answer, and a connection may be closed only after an
// answer with Connection: close.
type traffic struct {
	addr  string
	paths []string // of warm entries
	stop  chan struct{}
	done  sync.WaitGroup

	bodies sync.Map     // path to its first body
	cold   atomic.Int64 // number of requested cold paths

	answers, connections, told, late atomic.Int64

	mu       sync.Mutex
	failures []string
}

func startLoad(t *testing.T, addr string, paths []string) *traffic {
	t.Helper()
	l := &traffic{addr: addr, paths: paths, stop: make(chan struct{})}
	for n := range loadClients {
		l.done.Go(func() { (&loadClient{traffic: l, kind: n % 4, rand: rand.New(rand.NewPCG(uint64(n), 0))}).run() })
	}
	t.Cleanup(func() { l.end(t) })
	return l
}

// end stops the clients and reports their failures.
func (l *traffic) end(t *testing.T) {
	t.Helper()
	select {
	case <-l.stop:
		return
	default:
		close(l.stop)
	}
	l.done.Wait()
	for _, f := range l.failures[:min(len(l.failures), 10)] {
		t.Error(f)
	}
	t.Logf("%d answers (%d cold) on %d connections, %d failed; %d said close, %d connections were used too late",
		l.answers.Load(), l.cold.Load(), l.connections.Load(), len(l.failures), l.told.Load(), l.late.Load())
}

// await returns once the given number of further requests have been answered.
func (l *traffic) await(t *testing.T, more int64) {
	t.Helper()
	goal := l.answers.Load() + more
	await(t, "answers to the load", func() bool { return l.answers.Load() >= goal })
}

// loadClient is a client of traffic. Between two requests, clients of kind 0 hardly
// pause, of kind 1 and 2 pause for up to 300 ms, and of kind 3 reconnect.
type loadClient struct {
	traffic *traffic
	kind    int
	rand    *rand.Rand
	conn    net.Conn // nil before connecting
	from    *bufio.Reader
	used    time.Time // time of the last answer
}

func (c *loadClient) run() {
	defer c.hangUp()
	for {
		select {
		case <-c.traffic.stop:
			return
		case <-time.After(c.pause()):
		}
		path := c.path()
		kept, idle := c.conn != nil, time.Since(c.used)
		err := c.ask(path)
		switch {
		case err == nil:
			c.traffic.answers.Add(1)
			continue
		case kept && idle > promptly:
			c.traffic.late.Add(1)
		default:
			c.traffic.mu.Lock()
			c.traffic.failures = append(c.traffic.failures, fmt.Sprintf("%v kind %d, idle for %v: %s: %v", time.Now().Format("05.000"), c.kind, idle, path, err))
			c.traffic.mu.Unlock()
		}
		c.hangUp()
	}
}

func (c *loadClient) pause() time.Duration {
	most := 300 * time.Millisecond
	if c.kind == 0 || c.kind == 3 {
		most = 10 * time.Millisecond
	}
	return time.Duration(c.rand.Int64N(int64(most)))
}

// path returns a warm path, or occasionally a path that was not requested before.
func (c *loadClient) path() string {
	if c.rand.IntN(10) > 0 {
		return c.traffic.paths[c.rand.IntN(len(c.traffic.paths))]
	}
	return fmt.Sprintf("/athletes/?season_year=2025&limit=3&offset=%d", c.traffic.cold.Add(1))
}

func (c *loadClient) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// ask sends a request and checks the answer.
func (c *loadClient) ask(path string) (err error) {
	if c.conn == nil {
		if c.conn, err = net.DialTimeout("tcp", c.traffic.addr, time.Minute); err != nil {
			return err
		}
		c.traffic.connections.Add(1)
		c.from = bufio.NewReader(c.conn)
	}
	c.conn.SetDeadline(time.Now().Add(time.Minute))
	headers := ""
	if c.kind == 3 {
		headers = "Connection: close\r\n"
	}
	if _, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", path, headers); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.from, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("after %d bytes: %w", len(body), err)
	}
	c.used = time.Now()
	if resp.Close {
		c.traffic.told.Add(1)
		c.hangUp()
	}
	return c.traffic.check(path, resp.StatusCode, string(body))
}

// check returns the fault of an answer. The data does not change during the load.
func (l *traffic) check(path string, status int, body string) error {
	_, offset, cold := strings.Cut(path, "&limit=3&offset=")
	if status != http.StatusOK || !json.Valid([]byte(body)) || cold && !strings.Contains(body, `"offset":`+offset+",") {
		return fmt.Errorf("status %d: %.300s", status, body)
	}
	if first, known := l.bodies.LoadOrStore(path, body); known && first != body {
		return fmt.Errorf("%.200s, but before %.200s", body, first)
	}
	return nil
}

// await polls until holds returns true.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}
