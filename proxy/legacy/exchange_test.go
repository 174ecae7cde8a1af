package legacy

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
)

// TestStaleConnections holds that no GET fails and no POST is lost or sent twice
// while the old API closes idle connections, as the next request arrives or earlier.
func TestStaleConnections(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{Idle: time.Millisecond, Workers: 4})
	c := newClient(t, old.URL(), Options{MaxConns: 4})
	const clients, rounds = 8, 60
	var posted atomic.Int64
	var done sync.WaitGroup
	for i := range clients {
		done.Go(func() {
			for n := range rounds {
				old.Next(1, oldapi.HangUp)
				if a, err := c.Fetch(t.Context(), "/metadata/29"); err != nil || a.Status != 200 {
					t.Errorf("GET: %d %v", a.Status, err)
				}
				if n%4 != 0 {
					continue
				}
				ctx := visit("POST", "/feedback/")
				ctx.Request.SetBodyString(fmt.Sprint(i, n))
				if err := c.Forward(ctx, at("/feedback/")); err == nil {
					posted.Add(1)
				} else if !errors.Is(err, ErrBusy) {
					t.Errorf("POST: %v", err)
				}
			}
		})
	}
	done.Wait()
	s := c.Stats()
	opened, hungUp := old.Conns()
	t.Logf("%+v, %d connections, %d closed as a request came", s, opened, hungUp)
	if s.Failures != 0 || s.Resent == 0 || hungUp == 0 {
		t.Errorf("%d failures, %d resent", s.Failures, s.Resent)
	}
	if got := old.Count("GET", ""); got != clients*rounds {
		t.Errorf("%d GETs for %d", got, clients*rounds)
	}
	bodies := map[string]int{}
	for _, r := range old.Requests() {
		if r.Method == "POST" {
			bodies[r.Body]++
		}
	}
	for body, n := range bodies {
		if n != 1 {
			t.Errorf("POST %s came %d times", body, n)
		}
	}
	if len(bodies) != int(posted.Load()) {
		t.Errorf("%d POSTs for %d", len(bodies), posted.Load())
	}
}

// TestPostConnection holds that a POST never uses a connection that was used before.
func TestPostConnection(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), Options{})
	for range 3 {
		if _, err := c.Fetch(t.Context(), "/metadata/29"); err != nil {
			t.Fatal(err)
		}
		ctx := visit("POST", "/feedback/")
		ctx.Request.SetBodyString("{}")
		if err := c.Forward(ctx, at("/feedback/")); err != nil {
			t.Fatal(err)
		}
	}
	of := map[string]map[int]bool{"GET": {}, "POST": {}}
	for _, r := range old.Requests() {
		of[r.Method][r.Conn] = true
	}
	if len(of["GET"]) != 1 || len(of["POST"]) != 3 {
		t.Errorf("connections: %v", of)
	}
}

// TestForwardFaults holds that for each fault the old API receives a POST once and a
// GET at most twice, and a repetition only if the first request was closed unread.
func TestForwardFaults(t *testing.T) {
	for f := range oldapi.Faults {
		for _, method := range []string{"GET", "POST"} {
			t.Run(f.String()+" "+method, func(t *testing.T) {
				t.Parallel()
				old := oldapi.Start(t, oldapi.Options{})
				timeout := time.Minute
				if f == oldapi.Hang || f == oldapi.HangInBody {
					timeout = 2 * time.Second
				}
				c := newClient(t, old.URL(), Options{Timeout: timeout})
				path := map[string]string{"GET": "/feedback/status", "POST": "/feedback/"}[method]
				old.Next(1, f)
				ctx := visit(method, path)
				ctx.Request.SetBodyString("{}")
				ctx.Response.SetBodyString("untouched")
				err := c.Forward(ctx, at(path))
				body := string(ctx.Response.Body())
				whole := body == `{"success":true}` || body == `{"enabled":true,"rate_limits":{"hour":3,"day":10}}` || f == oldapi.ErrorJSON && ctx.Response.StatusCode() == 500
				if err == nil && !whole || err != nil && body != "untouched" {
					t.Errorf("%v: %d %q", err, ctx.Response.StatusCode(), body)
				}
				fine := f == oldapi.None || f == oldapi.Interim || f == oldapi.Chunked || f == oldapi.ErrorJSON || f == oldapi.HangUp
				if fine != (err == nil) {
					t.Errorf("%v", err)
				}
				if n := old.Count("", ""); n != 1 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

// TestLongerThanItSays holds that a page that is longer than its declared length is
// not forwarded.
func TestLongerThanItSays(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), Options{})
	old.Next(1, oldapi.LengthTooShort)
	if err := c.Forward(visit("GET", "/docs"), at("/docs")); !errors.Is(err, ErrAnswer) {
		t.Error(err)
	}
}

// TestOneWorker holds that 50 clients of an old API with one worker each get their
// answer, over at most MaxConns connections.
func TestOneWorker(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), Options{MaxConns: 4})
	var done sync.WaitGroup
	for i := range 50 {
		done.Go(func() {
			for n := range 4 {
				path := fmt.Sprintf("/nowhere/%d/%d", i, n)
				ctx := visit("GET", path)
				if err := c.Forward(ctx, at(path)); err != nil || ctx.Response.StatusCode() != 404 {
					t.Errorf("%s: %d %v", path, ctx.Response.StatusCode(), err)
				}
			}
		})
	}
	done.Wait()
	if opened, _ := old.Conns(); opened > 4 || old.Count("", "") != 200 {
		t.Errorf("%d connections, %d requests", opened, old.Count("", ""))
	}
}

// TestBusy holds that a further request fails with ErrBusy soon while all connections
// hang.
func TestBusy(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{Workers: 4})
	c := newClient(t, old.URL(), Options{MaxConns: 2, Timeout: time.Minute})
	old.Next(2, oldapi.Hang)
	var hanging sync.WaitGroup
	for range 2 {
		hanging.Go(func() { c.Forward(visit("GET", "/x"), at("/x")) })
	}
	await(t, "two hang", func() bool { return old.Count("", "") == 2 })
	if err := c.Forward(visit("GET", "/y"), at("/y")); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	if old.Count("GET", "/y") != 0 {
		t.Error("it was sent all the same")
	}
	old.Close()
	hanging.Wait()
	if s := c.Stats(); s.InUse != 0 || s.Limit != 2 {
		t.Errorf("%+v", s)
	}
}

// TestRoomForFeedback holds that feedback is delivered although as many other requests
// hang as there are connections.
func TestRoomForFeedback(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{Workers: 8})
	c := newClient(t, old.URL(), Options{MaxConns: 4, Timeout: time.Minute})
	old.Next(3, oldapi.Hang)
	var hanging sync.WaitGroup
	for range 4 {
		hanging.Go(func() { c.Forward(visit("GET", "/x"), at("/x")) })
	}
	await(t, "three hang", func() bool { return old.Count("", "") == 3 })
	for _, path := range []string{"/feedback/", "/feedback"} {
		if err := c.Forward(visit("POST", path), at(path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := c.Forward(visit("POST", "/y"), at("/y")); !errors.Is(err, ErrBusy) {
		t.Errorf("another request: %v", err)
	}
	old.Close()
	hanging.Wait()
}

// TestClosedPortFailsImmediately holds that a request to a closed port fails immediately.
func TestClosedPortFailsImmediately(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	c := newClient(t, "http://"+ln.Addr().String(), Options{})
	if _, err := c.Fetch(t.Context(), "/x"); !errors.Is(err, ErrUnreached) {
		t.Error(err)
	}
	if err := c.Forward(visit("POST", "/x"), at("/x")); !errors.Is(err, ErrUnreached) {
		t.Error(err)
	}
}

// TestKeptConnections holds that idle connections are closed before the old API
// closes them, and by Close.
func TestKeptConnections(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), Options{})
	unused := func() int {
		c.pool.mu.Lock()
		defer c.pool.mu.Unlock()
		return len(c.pool.idle)
	}
	fetch := func() {
		if _, err := c.Fetch(t.Context(), "/metadata/29"); err != nil {
			t.Error(err)
		}
	}
	fetch()
	if unused() != 1 {
		t.Fatal("not kept")
	}
	c.pool.idle[0].expiry.Reset(0)
	await(t, "its end", func() bool { return unused() == 0 })
	fetch()
	c.Close()
	fetch()
	if unused() != 0 {
		t.Error("kept after Close")
	}
	if opened, _ := old.Conns(); opened != 3 {
		t.Errorf("%d connections", opened)
	}
}
