package redis

import (
	"context"
	"testing"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
	"github.com/lewistv/xcri-proxy/proxy/fleet/members"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"RESP3": nil, "RESP2": {"--rename-command", "HELLO", ""}} {
		t.Run(name, func(t *testing.T) { conform(t, redisserver.Start(t, args...)) })
	}
}

// TestSentinel holds that the suite passes on a server under Sentinel, and that an Engine
// works after a failover.
func TestSentinel(t *testing.T) {
	t.Parallel()
	w := redisserver.StartWatched(t)
	conformAt(t, w.URL, func() { w.Primary.Do("FLUSHALL") })
	failover(t, w.URL, "n:{1}:a", func() { w.Primary.Kill() })
}

// TestCluster holds that the suite passes on a cluster, and that an Engine works after the
// replica of a primary has taken over.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := redisserver.StartCluster(t)
	conformAt(t, c.URL, func() {
		for _, s := range c.Nodes {
			s.Do("FLUSHALL")
		}
	})
	failover(t, c.URL, "n:{1}:a", func() { c.Nodes[0].Kill() })
}

// failover holds that an Engine works again after a failover.
func failover(t *testing.T, url, name string, begin func()) {
	t.Helper()
	e, err := New(Options{URL: url, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	listen := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		ready, ended := make(chan struct{}), make(chan error, 1)
		go func() { ended <- e.Listen(ctx, func() { close(ready) }, func(fleet.Message) {}) }()
		select {
		case err := <-ended:
			return err
		case <-ready:
		}
		err := e.Ping(ctx)
		if err == nil {
			err = e.Put(ctx, name, "", []byte("1"), time.Hour)
		}
		cancel()
		<-ended
		return err
	}
	if err := listen(); err != nil {
		t.Fatal(err)
	}
	begin()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := listen()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func conform(t *testing.T, s *redisserver.Server) {
	conformAt(t, s.URL, func() { s.Do("FLUSHALL") })
}

func conformAt(t *testing.T, url string, flush func()) {
	connect := func(t *testing.T) fleet.Engine {
		e, err := New(Options{URL: url, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	fleettest.Conformance(t, connect, flush)
}

// TestForeignLock holds that a lock without a lease, which no member sets, gets one.
// Otherwise requests for its answer would look it up every 2 ms until their time is over.
func TestForeignLock(t *testing.T) {
	s := redisserver.Start(t)
	e, err := New(Options{URL: s.URL, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ready, ended := make(chan struct{}), make(chan error)
	go func() { ended <- e.Listen(ctx, func() { close(ready) }, func(fleet.Message) {}) }()
	select {
	case err := <-ended:
		t.Fatal(err)
	case <-ready:
	}
	const lease = 200 * time.Millisecond
	for name, command := range map[string]string{"a text": "SET", "a list": "RPUSH"} {
		s.Do(command, prefix+name+":lock", "foreign")
		c, err := e.Claim(ctx, name, "token", lease, true)
		if err != nil || c.Claimed || c.Left != lease {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		for err == nil && !c.Claimed {
			time.Sleep(c.Left)
			c, err = e.Claim(ctx, name, "token", lease, true)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	cancel()
	<-ended
}

// TestClosed: a closed Engine neither connects nor uses a connection that its client still has.
func TestClosed(t *testing.T) {
	s := redisserver.Start(t)
	e, err := New(Options{URL: s.URL, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	client, err := e.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	e.client = &unclosed{client}
	e.Close()
	if err := client.Do(t.Context(), client.B().Ping().Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Beat(t.Context(), members.Report{ID: "member", Lasts: time.Minute, List: true}); err == nil {
		t.Error("a heartbeat is sent after Close")
	}
	if err := e.Listen(t.Context(), func() {}, func(fleet.Message) {}); err == nil {
		t.Error("a subscription begins after Close")
	}
}

// unclosed is a client that keeps its connection when it is closed.
type unclosed struct{ valkey.Client }

func (*unclosed) Close() {}
