package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

// gated serves a proxy whose origin closes begun and waits for gate before it answers. served
// gets the result of Serve.
func gated(t *testing.T, body string) (begun, gate chan struct{}, p *Proxy, base string, served chan error) {
	t.Helper()
	begun, gate = make(chan struct{}), make(chan struct{})
	p, err := New(Options{Origin: &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) {
		close(begun)
		<-gate
		return store.Answer{Status: 200, Body: []byte(body)}, nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	ln := port.Held(t)
	served = make(chan error, 1)
	go func() { served <- p.Serve(ln) }()
	return begun, gate, p, "http://" + ln.Addr().String(), served
}

// TestDrain: a drain answers a client that sends another request and adds "Connection:
// close". It also finishes a request that began before it, and closes idle
// connections.
func TestDrain(t *testing.T) {
	begun, gate, p, base, served := gated(t, `{}`)
	returns, away, never, busy := dial(t, base), dial(t, base), dial(t, base), dial(t, base)
	fromReturns, fromAway, fromBusy := bufio.NewReader(returns), bufio.NewReader(away), bufio.NewReader(busy)
	ask := func(conn net.Conn, target string) { fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target) }
	for _, conn := range []net.Conn{returns, away} {
		ask(conn, "/livez")
	}
	for _, from := range []*bufio.Reader{fromReturns, fromAway} {
		if status, closes := endOf(t, from); status != 200 || closes {
			t.Fatalf("before: %d, close %t", status, closes)
		}
	}
	ask(busy, "/teams/")
	<-begun

	drained := make(chan struct{})
	const quiet = 2 * time.Second
	start := time.Now()
	go func() { p.Drain(t.Context(), quiet); close(drained) }()
	for !p.stopping.Load() {
		time.Sleep(time.Millisecond)
	}
	ask(returns, "/readyz")
	if status, closes := endOf(t, fromReturns); status != 503 || !closes {
		t.Errorf("who comes back: %d, close %t", status, closes)
	}
	for name, from := range map[string]io.Reader{"told": fromReturns, "stays away": fromAway, "never asked": never} {
		if n, err := from.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
			t.Errorf("who %s: %d bytes, %v", name, n, err)
		}
	}
	if took := time.Since(start); took < quiet/2 {
		t.Errorf("hung up after %v", took)
	}
	select {
	case <-drained:
		t.Error("drained with an answer under way")
	default:
	}
	close(gate)
	if status, closes := endOf(t, fromBusy); status != 200 || !closes {
		t.Errorf("the answer under way: %d, close %t", status, closes)
	}
	<-drained
	if err := errors.Join(p.Shutdown(t.Context()), <-served); err != nil {
		t.Error(err)
	}
}

// endOf reads an answer and reports whether its headers announce that the connection
// closes.
func endOf(t *testing.T, from *bufio.Reader) (status int, closes bool) {
	t.Helper()
	resp, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Close
}

// TestServeAfterDrain: a server that is drained before it serves does not start.
func TestServeAfterDrain(t *testing.T) {
	p, err := New(Options{Origin: &fakeOrigin{}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Shutdown(t.Context()), p.Serve(ln)); err != nil {
		t.Error(err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it still listens: %v", err)
	}
}

// TestDrainEnds: a client that never completes its request does not delay a drain
// beyond the deadline of the drain's context.
func TestDrainEnds(t *testing.T) {
	p, err := New(Options{Origin: &fakeOrigin{}})
	if err != nil {
		t.Fatal(err)
	}
	base := listen(t, p)
	conn := dial(t, base)
	io.WriteString(conn, "GET /livez HTTP/1.1\r\nHo")
	for p.server.Stats().Open == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var drain sync.WaitGroup
	drain.Go(func() { p.Drain(ctx, time.Hour) })
	for !p.stopping.Load() {
		time.Sleep(time.Millisecond)
	}
	cancel()
	drain.Wait()
	if p.server.Stats().Open != 1 {
		t.Error("the connection is gone")
	}
	conn.Close()
}
