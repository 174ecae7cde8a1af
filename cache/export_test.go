package cache

import (
	"slices"
	"testing"
	"testing/synctest"
)

// Before the first generation adopted entries are stale, and served as they are while the
// origin is down. After it, entries of the generation are hits.
func TestAdopt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &fakeOrigin{early: true}
		c := newCache(t, o, Options{})
		purged, old := answer("list?1", 10), answer("list?2", 10)
		old.Generation = "0"
		gone := answer("team?1", 10)
		gone.Status = 404
		c.Adopt([]Saved{
			saved(answer("list?0", 10), true, false), saved(purged, true, true), saved(old, true, false),
			saved(answer("page?1", 10), false, false), saved(gone, false, false), saved(answer("list?0", 99), false, false),
		})
		for k, place := range map[string]string{"list?0": "warm", "list?1": "warm", "list?2": "warm", "page?1": "hot", "team?1": "absent"} {
			where(t, c, k, place)
			if s := c.sight(k); s.Outcome != Stale {
				t.Errorf("%s: %s before the first generation", k, s.Outcome)
			}
		}
		if g, at := c.Published(); g != nil || !at.IsZero() {
			t.Errorf("generation %v of %v", g, at)
		}
		c.outage.Down(errDown)
		for _, k := range []string{"list?0", "list?1", "list?2", "page?1", "team?1"} {
			get(t, c, k, StaleError, "0")
		}
		fails(t, c, "page?2", ErrDown)
		calls(t, o, 0)

		c.outage.Up()
		c.PublishFirst(o.generation())
		for k, outcome := range map[string]Outcome{"list?0": Hit, "list?1": Stale, "list?2": Stale, "page?1": Hit, "team?1": Hit} {
			get(t, c, k, outcome, "0")
		}
		synctest.Wait()
		calls(t, o, 2)
		for _, k := range []string{"list?0", "list?1", "list?2"} {
			where(t, c, k, "warm")
			if s := c.sight(k); s.Outcome != Hit {
				t.Errorf("%s: %s after the refresh", k, s.Outcome)
			}
		}
		checkShelves(t, c)
	})
}

// Adopted entries come from outside and get their other form like filled ones.
func TestAdoptRecodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, &fakeOrigin{early: true}, Options{Recode: func(e *Entry) []Variant {
			return append(slices.Clone(e.Variants), Variant{Coding: "br"})
		}})
		c.Adopt([]Saved{saved(answer("list?0", 10), true, false)})
		synctest.Wait()
		if e := c.sight("list?0").Entry; len(e.Variants) != 2 {
			t.Errorf("%d variants", len(e.Variants))
		}
	})
}
