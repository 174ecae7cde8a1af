package proxy

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/generation"
)

// TestMissedPurges: purges of the fleet that a proxy has missed drop saved entries from before
// them, or make them stale, and leave the others. Operators see an event if there were any.
func TestMissedPurges(t *testing.T) {
	var asked atomic.Int64
	first, _ := start(t, Options{Origin: countingOrigin(&asked), Generations: generation.Options{Interval: time.Hour}})
	awaitLook(t, first, first.generations.Poll([]string{"/teams/", "/teams/?limit=5", "/athletes/"}))
	p, _ := start(t, Options{Origin: countingOrigin(&asked), Kept: Kept{Saved: first.cache.Export()}, Generations: generation.Options{Interval: time.Hour}})
	purge := func(data string, at time.Time) fleet.Action {
		return fleet.Action{Kind: fleet.Purge, Data: []byte(data), At: at}
	}
	check := func(want map[string]cache.Outcome, purges int) {
		t.Helper()
		for key, want := range want {
			if got := p.cache.Peek(&cache.Ref{Key: key}).Outcome; got != want {
				t.Errorf("%s: %s, want %s", key, got, want)
			}
		}
		n := 0
		for _, e := range p.events.All() {
			if e.Kind == events.Purge {
				n++
			}
		}
		if n != purges {
			t.Errorf("%d purges in the events, want %d", n, purges)
		}
	}
	p.missed(time.Time{}, []fleet.Action{purge(`{"all":true,"hard":true}`, time.Now().Add(-time.Hour))})
	check(map[string]cache.Outcome{"/teams/": cache.Hit, "/teams/?limit=5": cache.Hit, "/athletes/": cache.Hit}, 0)
	p.missed(time.Time{}, []fleet.Action{purge(`{"path":"/teams/"}`, time.Now()), purge(`{"path":"/teams/?limit=5","hard":true}`, time.Now())})
	check(map[string]cache.Outcome{"/teams/": cache.Stale, "/teams/?limit=5": cache.Miss, "/athletes/": cache.Hit}, 1)
}
