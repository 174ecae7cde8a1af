package redis

import (
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
