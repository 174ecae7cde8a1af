package cache

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lewistv/xcri-proxy/cache/shelf"
)

// Before the first generation adopted entries are stale, and during an outage they are
// served as they are. After the first publish, entries of the generation are hits.
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

// Adopted entries are recoded like filled entries.
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

// Export returns the warm set first and then the hot shelf, each with the most
// requested entries first and ties in the order of their keys. It returns nothing
// else.
func TestExport(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	publish(t, c, fakeGeneration{id: "1"}, keys("list", 4)...)
	ask(t, c, "dated", 4, always(1+promoteAfter))
	ask(t, c, "tail", 3, always(1))
	for n, asked := range []uint32{5, 9, 5, 7} {
		c.asked(key("list", n), asked)
		c.asked(key("dated", n), 10*asked)
	}
	c.Purge(func(e *Entry) bool { return e.Key == key("list", 2) }, false)
	var got []string
	for _, s := range c.Export() {
		v := c.version(s.Key)
		if s.Filled != v.Filled || s.Took != v.Took || s.Cost() != v.Cost() || &s.Variants[0] != &v.Variants[0] || s.Scope != v.Scope || s.Asked != c.sight(s.Key).Asked {
			t.Errorf("%+v of %+v", s, v)
		}
		if s.Warm != strings.HasPrefix(s.Key, "list") || s.Purged != (s.Key == key("list", 2)) {
			t.Errorf("%s: warm %t, purged %t", s.Key, s.Warm, s.Purged)
		}
		got = append(got, s.Key)
	}
	want := []string{"list?1", "list?3", "list?0", "list?2", "dated?1", "dated?3", "dated?0", "dated?2"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// Adopted entries that do not fit on their shelf go to the tail, unfit entries are
// left out, and all budgets hold.
func TestAdoptWithoutRoom(t *testing.T) {
	var log bytes.Buffer
	recoded := 0
	c := newCache(t, &fakeOrigin{early: true}, Options{Bytes: 1 << 20, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Recode: func(*Entry) []Variant { recoded++; return nil }})
	most := c.shelves.Budget(shelf.Hot) / largestShare
	fitted := func(name string, cost int64) Saved {
		e := answer(name, 0)
		e.Variants[0].Body = zeros[: 0 : cost-e.Cost()]
		return saved(e, false, false)
	}
	large, largest := fitted("large", most+1), fitted("largest", most)
	largest.Asked = 1 // otherwise it would be the first to leave the shelf
	all := []Saved{large, largest, {Key: "unfit"}, fitted("beyond all", 1<<19)}
	for n := range 60 {
		all = append(all, saved(answer(key("list", n), 10<<10), n < 30, false))
	}
	c.Adopt(all)
	for name, place := range map[string]string{"large": "tail", "largest": "hot", "unfit": "", "beyond all": "", "list?0": "warm", "list?29": "warm"} {
		where(t, c, name, place)
	}
	if !strings.Contains(log.String(), "unfit") || strings.Contains(log.String(), "largest") {
		t.Errorf("logged: %s", log.String())
	}
	shelves := c.Stats().Shelves
	if shelves[1].Entries == 0 || shelves[2].Entries == 0 || shelves[0].Budget != shelves[0].Bytes {
		t.Errorf("%+v", shelves)
	}
	checkShelves(t, c)
	c.Close()
	if kept := shelves[0].Entries + shelves[1].Entries + shelves[2].Entries; recoded > int(kept) {
		t.Errorf("%d of %d entries are recoded", recoded, kept)
	}
}
