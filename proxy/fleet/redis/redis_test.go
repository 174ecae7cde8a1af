package redis

import (
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
)

func TestConformance(t *testing.T) {
	s := redisserver.Start(t)
	connect := func(t *testing.T) fleet.Engine {
		e, err := New(Options{URL: s.URL, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	fleettest.Conformance(t, connect, func() { s.Do("FLUSHALL") })
}
