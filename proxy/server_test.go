package proxy

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/wire"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	databases "github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// requestCtx makes a request that has no connection.
func requestCtx(method, target string, headers ...string) *fasthttp.RequestCtx {
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(target)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil)
	return ctx
}

// TestOneFillForAll: 200 concurrent requests for one cold key cause one read in the
// database, by the database's own count.
func TestOneFillForAll(t *testing.T) {
	opts := realOptions(t)
	root := databases.Root(t, mariadb.Database)
	execute(t, root, "SET GLOBAL log_output = 'TABLE'", "SET GLOBAL general_log = ON", "TRUNCATE mysql.general_log")
	defer execute(t, root, "SET GLOBAL general_log = OFF")
	_, base := start(t, opts)

	const clients = 200
	target := "/athletes/?season_year=2025&limit=50000&region=West"
	var ready, done sync.WaitGroup
	var outcomes sync.Map
	gate := make(chan struct{})
	ready.Add(clients)
	for range clients {
		done.Go(func() {
			conn := dial(t, base)
			defer conn.Close()
			ready.Done()
			<-gate
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", target)
			a := read(t, bufio.NewReader(conn), "GET")
			if a.status != 200 {
				t.Errorf("%d %.100s", a.status, a.body)
			}
			n, _ := outcomes.LoadOrStore(a.outcome(), new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()

	var reads int
	row := root.QueryRow("SELECT COUNT(*) FROM mysql.general_log WHERE command_type = 'Query' AND argument LIKE 'SELECT r.ranking_id%West%'")
	if err := row.Scan(&reads); err != nil {
		t.Fatal(err)
	}
	if reads != 1 {
		t.Errorf("the database saw %d reads for %d clients", reads, clients)
	}
	outcomes.Range(func(k, v any) bool {
		t.Logf("%s: %d", k, v.(*atomic.Int64).Load())
		return true
	})
	if n, ok := outcomes.Load("miss"); !ok || n.(*atomic.Int64).Load() != 1 {
		t.Error("not exactly one miss")
	}
}

func execute(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// TestMalformed: the server answers malformed and oversized requests with an error or
// closes the connection, and continues to serve.
func TestMalformed(t *testing.T) {
	p, err := New(Options{Origin: &fakeOrigin{}})
	if err != nil {
		t.Fatal(err)
	}
	o := p.wireOptions()
	o.Timeouts = wire.DefaultTimeouts
	o.Timeouts.Read = 500 * time.Millisecond // for requests that look incomplete
	p.server = wire.New(o)
	base := listen(t, p)
	for name, tt := range map[string]struct {
		request string
		status  int // 0: no answer, the connection is closed
	}{
		"no HTTP":              {"hello\r\n\r\n", 400},
		"no host":              {"GET /teams/ HTTP/1.1\r\n\r\n", 400},
		"two hosts":            {"GET /teams/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		"two lengths":          {"GET /teams/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
		"long header":          {"GET /teams/ HTTP/1.1\r\nHost: a\r\nCookie: " + strings.Repeat("x", 17<<10) + "\r\n\r\n", 431},
		"long target":          {"GET /teams/?search=" + strings.Repeat("x", 17<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", 431},
		"target that fits":     {"GET /teams/?search=" + strings.Repeat("x", 12<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		"cookies that fit":     {"GET /teams/ HTTP/1.1\r\nHost: a\r\nCookie: " + strings.Repeat("x", 8<<10) + "\r\n\r\n", 200},
		"long body":            {"POST /teams/ HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", 413},
		"a body that waits":    {"POST /teams/ HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n", 417},
		"a GET with a body":    {"GET /teams/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 200},
		"bare line feeds":      {"GET /teams/ HTTP/1.1\nHost: a\n\n", 400},
		"control in the value": {"GET /teams/ HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400},
		"HTTP/1.0":             {"GET /teams/ HTTP/1.0\r\n\r\n", 200},
		"a header without end": {"GET /teams/ HTTP/1.1\r\nHost: a\r\nX-", 408},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, base)
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.request); err != nil {
				t.Fatal(err)
			}
			a := read(t, bufio.NewReader(conn), "GET")
			if a.status != tt.status {
				t.Errorf("%d, want %d: %s", a.status, tt.status, a.body)
			}
			if a.status != 417 && !strings.HasPrefix(a.body, `{"`) {
				t.Errorf("not in the shape of the API: %q", a.body)
			}
		})
	}
	if a := get(t, base, "/teams/"); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
}

// TestServerHasLimits: every resource that a client can use has a limit.
func TestServerHasLimits(t *testing.T) {
	p, err := New(Options{Origin: &fakeOrigin{}})
	if err != nil {
		t.Fatal(err)
	}
	if t0 := wire.DefaultTimeouts; t0.Read == 0 || t0.Idle == 0 || t0.Write == 0 || p.wireOptions().MaxConns == 0 || wire.MaxHead == 0 || wire.MaxBody == 0 {
		t.Errorf("a limit is missing: %+v", t0)
	}
}

// TestPanic: a panic in a handler or a fill fails only its own request.
func TestPanic(t *testing.T) {
	p, base := start(t, Options{Origin: &fakeOrigin{
		run:  func(context.Context, store.Query) (store.Answer, error) { panic("in the origin") },
		ping: func() error { panic("in the handler") },
	}})
	for _, target := range []string{"/teams/", "/health", "/teams/", "/health"} {
		if a := get(t, base, target); a.status != 500 || a.body != `{"detail":"Internal Server Error"}` {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	if stats := p.Stats(); stats.Requests.Panics != 2 || stats.Cache.Panics != 2 {
		t.Errorf("panics: %d in handlers, %d in fills", stats.Requests.Panics, stats.Cache.Panics)
	}
	if fills := p.Stats().Routes["/teams/"].Fills; fills.Failed != 2 || fills.Count != 0 {
		t.Errorf("fills that panic are not failures of their route: %+v", fills)
	}
}

// TestWaitTimeout: a request that waits too long gets a 504, and the result of the
// fill that it waited for is stored nevertheless.
func TestWaitTimeout(t *testing.T) {
	gate := make(chan struct{})
	p, base := start(t, Options{
		Origin: &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) {
			<-gate
			return store.Answer{Status: 200, Body: []byte(`{"late":true}`)}, nil
		}},
		Cache: cache.Options{WaitTimeout: 20 * time.Millisecond},
	})
	if a := get(t, base, "/teams/"); a.status != 504 || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	close(gate)
	for deadline := time.Now().Add(time.Minute); p.cache.Stats().Shelves[2].Entries == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the fill was not stored")
		}
	}
	if a := get(t, base, "/teams/"); a.status != 200 || a.outcome() != "hit" || a.body != `{"late":true}` {
		t.Errorf("afterwards: %d %s %s", a.status, a.outcome(), a.body)
	}
}

// TestShutdown: requests under way are answered, idle connections are closed, and new
// connections are refused.
func TestShutdown(t *testing.T) {
	begun, gate, p, base, served := gated(t, `{"whole":true}`)
	idle := dial(t, base)
	defer idle.Close()
	io.WriteString(idle, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
	fromIdle := bufio.NewReader(idle)
	read(t, fromIdle, "GET")

	busy := make(chan answer, 1)
	go func() { busy <- get(t, base, "/teams/") }()
	<-begun
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		stopped <- p.Shutdown(ctx)
	}()
	if _, err := fromIdle.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the idle connection: %v", err)
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped with an answer under way: %v", err)
	default:
	}
	close(gate)
	if a := <-busy; a.status != 200 || a.body != `{"whole":true}` {
		t.Errorf("the answer under way: %d %s", a.status, a.body)
	}
	if err := errors.Join(<-stopped, <-served); err != nil {
		t.Error(err)
	}
	if conn, err := net.DialTimeout("tcp", strings.TrimPrefix(base, "http://"), time.Second); err == nil {
		conn.Close()
		t.Error("a connection was taken after the shutdown")
	}
}

// TestKeepAlive: one connection carries many requests, also after an error.
func TestKeepAlive(t *testing.T) {
	_, base := start(t, Options{Origin: &fakeOrigin{}})
	conn := dial(t, base)
	defer conn.Close()
	from := bufio.NewReader(conn)
	for _, tt := range []struct {
		target string
		status int
	}{{"/teams/", 200}, {"/nowhere", 404}, {"/teams/?limit=x", 422}, {"/teams/", 200}, {"/cache/nowhere", 404}, {"/health", 200}} {
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", tt.target)
		if a := read(t, from, "GET"); a.status != tt.status {
			t.Errorf("%s: %d", tt.target, a.status)
		}
	}
}
