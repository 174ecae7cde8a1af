package redis

import (
	"context"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
)

func TestConformance(t *testing.T) {
	for name, args := range map[string][]string{"RESP3": nil, "RESP2": {"--rename-command", "HELLO", ""}} {
		t.Run(name, func(t *testing.T) { conform(t, redisserver.Start(t, args...)) })
	}
}

func conform(t *testing.T, s *redisserver.Server) {
	connect := func(t *testing.T) fleet.Engine {
		e, err := New(Options{URL: s.URL, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	fleettest.Conformance(t, connect, func() { s.Do("FLUSHALL") })
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
