package cache

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache/shelf"
)

// endSeason ends a round that has reached all keys.
func (c *Cache) endSeason() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave(c.shelves.EndRound()...)
}

// keep calls Keep and checks its result.
func keep(t *testing.T, c *Cache, key string, filled bool, want error) {
	t.Helper()
	e, got, err := c.Keep(t.Context(), key)
	if !errors.Is(err, want) || got != filled || (want == nil || errors.Is(want, ErrNoRoom)) && (e == nil || e.Key != key) {
		t.Errorf("Keep(%s): %+v, filled %v, %v; want %v, %v", key, e, got, err, filled, want)
	}
}

// Keep fills a missing or stale entry, and leaves a fresh entry alone. The entries survive
// the requests for any number of other keys, and the keys that leave the season do not.
func TestKeep(t *testing.T) {
	o := &fakeOrigin{size: 10_000}
	bubble(t, o, Options{Bytes: 1 << 20, Season: true}, func(t *testing.T, c *Cache) {
		c.lookup("visited")
		c.Season(func() bool { return false })
		keep(t, c, "visited", false, nil)
		keep(t, c, "kept", true, nil)
		keep(t, c, "kept", false, nil)
		keep(t, c, "warm", true, nil)
		c.endSeason()
		publish(t, c, o.generation(), "warm")
		for i := range 300 {
			c.lookup(fmt.Sprint("other?", i%150))
		}
		for key, where := range map[string]string{"visited": "season", "kept": "season", "warm": "warm"} {
			if s := c.sight(key); s.Outcome != Hit || s.Where != where {
				t.Errorf("%s: %s on %s", key, s.Outcome, s.Where)
			}
		}
		publish(t, c, o.moveTo("2", "kept"), "warm")
		calls := o.calls.Load()
		c.Season(func() bool { return false })
		keep(t, c, "kept", false, nil)
		keep(t, c, "warm", false, nil)
		c.endSeason()
		if o.calls.Load() != calls || c.sight("visited").Entry != nil || c.entries(shelf.Season) != 1 || c.sight("warm").Where != "warm" {
			t.Errorf("%d fills, %d entries, %+v", o.calls.Load()-calls, c.entries(shelf.Season), c.sight("visited"))
		}
		checkShelves(t, c)
	})
}

// The data of a fill may be as old as the round: a purge since the start of the round
// applies to it, though the fill began later.
func TestPurgeInARound(t *testing.T) {
	for _, hard := range []bool{false, true} {
		bubble(t, &fakeOrigin{}, Options{Season: true}, func(t *testing.T, c *Cache) {
			c.Season(func() bool {
				keep(t, c, "team", true, nil)
				c.Purge(everything, hard)
				keep(t, c, "team", true, ErrMoved)
				keep(t, c, "athlete", true, ErrMoved)
				for _, key := range []string{"team", "athlete"} {
					if s := c.sight(key); s.Outcome == Hit || hard && s.Entry != nil {
						t.Errorf("hard %v: %+v", hard, s)
					}
				}
				return true
			})
			c.Season(func() bool { keep(t, c, "team", true, nil); return true })
			get(t, c, "team", Hit, "4")
			checkShelves(t, c)
		})
	}
}

// TestEndOfARound: the entries of keys that a complete round has not reached leave the season,
// and a fill after a round is as old as itself.
func TestEndOfARound(t *testing.T) {
	bubble(t, &fakeOrigin{}, Options{Season: true}, func(t *testing.T, c *Cache) {
		c.Season(func() bool { keep(t, c, "team", true, nil); keep(t, c, "other", true, nil); return true })
		c.Season(func() bool { keep(t, c, "team", false, nil); return false })
		if c.sight("other").Entry == nil {
			t.Error("an entry has left after a round that is not complete")
		}
		c.Season(func() bool { keep(t, c, "team", false, nil); return true })
		if c.sight("other").Entry != nil || c.entries(shelf.Season) != 1 {
			t.Errorf("%d entries after a complete round", c.entries(shelf.Season))
		}
		if c.reading() {
			t.Error("a read is under way for ever")
		}
		c.Purge(everything, false)
		keep(t, c, "team", true, nil)
		checkShelves(t, c)
	})
}

// TestKeepWarm: a stale entry of the warm set is filled, and stays there.
func TestKeepWarm(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, Options{Season: true}, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "warm")
		c.Purge(everything, false)
		c.Season(func() bool { keep(t, c, "warm", true, nil); return true })
		if s := c.sight("warm"); s.Outcome != Hit || s.Where != "warm" {
			t.Errorf("%s on %s", s.Outcome, s.Where)
		}
		checkShelves(t, c)
	})
}

// TestKeepDuringAnOutage: an outage stops the season also for keys that another origin can
// fill.
func TestKeepDuringAnOutage(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, Options{Season: true, FillsWhileDown: func(string) bool { return true }}, func(t *testing.T, c *Cache) {
		c.outage.Down(errDown)
		keep(t, c, "team", false, ErrDown)
		if n := o.calls.Load(); n != 0 {
			t.Errorf("%d fills", n)
		}
	})
}

// A refresh that a request begins keeps its entry in the season.
func TestRefreshKeepsSeason(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, Options{Season: true}, func(t *testing.T, c *Cache) {
		c.Season(func() bool { return false })
		keep(t, c, "team", true, nil)
		publish(t, c, o.moveTo("2"))
		get(t, c, "team", Stale, "1")
		synctest.Wait()
		get(t, c, "team", Hit, "2")
		if s := c.sight("team"); s.Where != "season" {
			t.Errorf("%+v", s)
		}
	})
}

// TestFailedKeep holds that a stale entry whose fill fails stays in the season, even if the
// round ends: the entry answers requests until a later round fills it.
func TestFailedKeep(t *testing.T) {
	failed := errors.New("the table is damaged")
	o := &fakeOrigin{}
	bubble(t, o, Options{Season: true}, func(t *testing.T, c *Cache) {
		round := func(filled bool, want error) {
			t.Helper()
			c.Season(func() bool { keep(t, c, "team", filled, want); return true })
		}
		round(true, nil)
		publish(t, c, o.moveTo("2"))
		o.script = []error{failed, failed}
		round(false, failed)
		get(t, c, "team", Stale, "1")
		synctest.Wait()
		if s := c.sight("team"); s.Where != "season" {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Hour)
		round(true, nil)
		get(t, c, "team", Hit, "4")
		checkShelves(t, c)
	})
}

// Without room Keep reports ErrNoRoom and evicts nothing that visitors ask for.
func TestKeepWithoutRoom(t *testing.T) {
	o := &fakeOrigin{size: 10_000}
	bubble(t, o, Options{Bytes: 1 << 20, Season: true}, func(t *testing.T, c *Cache) {
		for range promoteAfter + 1 {
			c.lookup("hot")
		}
		c.lookup("tail")
		c.Season(func() bool { return false })
		n, err := 0, error(nil)
		for ; err == nil; n++ {
			_, _, err = c.Keep(t.Context(), fmt.Sprint("athlete?", n))
		}
		if !errors.Is(err, ErrNoRoom) || int64(n-1) != c.entries(shelf.Season) || n < 60 {
			t.Errorf("%d keys: %v, %d entries", n, err, c.entries(shelf.Season))
		}
		for key, where := range map[string]string{"hot": "hot", "tail": "tail"} {
			if s := c.sight(key); s.Outcome != Hit || s.Where != where {
				t.Errorf("%s: %s on %s", key, s.Outcome, s.Where)
			}
		}
		keep(t, c, "hot", false, ErrNoRoom)
		if s := c.sight(fmt.Sprint("athlete?", n-1)); s.Entry != nil {
			t.Errorf("a key without room is on %s", s.Where)
		}
		c.Purge(func(e *Entry) bool { return e.Key == "hot" || e.Key == "tail" }, false)
		for _, key := range []string{"hot", "tail"} {
			keep(t, c, key, true, ErrNoRoom)
			if s := c.sight(key); s.Outcome != Hit || s.Where != key {
				t.Errorf("%s is filled without room in the season: %s on %s", key, s.Outcome, s.Where)
			}
		}
		checkShelves(t, c)
		c.Season(func() bool { return false }) // nothing is reached yet, so that a key of more importance finds room
		keep(t, c, "new", true, nil)
		keep(t, c, "athlete?0", c.sight("athlete?0").Entry == nil, nil)
		checkShelves(t, c)
	})
}

// Keep waits for all other fills, and not for the fill of a request for the same key; it
// fails during an outage, and for data that is not of the published generation.
func TestKeepGivesWay(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	bubble(t, o, Options{Season: true, Fills: 3, IsDown: func(err error) bool { return err == errDown }}, func(t *testing.T, c *Cache) {
		c.Season(func() bool { return false })
		for _, key := range []string{"list", "team"} {
			go c.lookup(key)
		}
		synctest.Wait()
		ended := make(chan error, 1)
		go func() {
			_, _, err := c.Keep(t.Context(), "list")
			ended <- err
		}()
		synctest.Wait()
		if s := c.Stats(); s.Lanes[Quick].Running != 2 || s.Lanes[Idle] != (LaneStats{Queued: 1}) {
			t.Errorf("%+v", s.Lanes)
		}
		o.gate <- struct{}{}
		o.gate <- struct{}{}
		synctest.Wait()
		o.gate <- struct{}{}
		if err := <-ended; err != nil || c.sight("list").Where != "season" {
			t.Errorf("%v, on %s", err, c.sight("list").Where)
		}
		o.moveTo("2")
		go func() { o.gate <- struct{}{} }()
		keep(t, c, "new", true, ErrMoved)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := c.Keep(ctx, "gone"); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %v", err)
		}
		c.outage.Down(errDown)
		keep(t, c, "down", false, ErrDown)
		keep(t, c, "list", false, nil) // it is there
	})
}

// The season is exported, and adopted where a season is kept.
func TestSeasonIsSaved(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, Options{Season: true}, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "warm")
		for range promoteAfter + 1 {
			c.lookup("hot")
		}
		c.Season(func() bool { return false })
		keep(t, c, "team", true, nil)
		saved := c.Export()
		if len(saved) != 3 || saved[0].Key != "warm" || saved[1].Key != "hot" || saved[2].Key != "team" || !saved[2].Season || saved[0].Season || saved[1].Season {
			t.Fatalf("%+v", saved)
		}
		for season, where := range map[bool]string{true: "season", false: "hot"} {
			next := newCache(t, &fakeOrigin{}, Options{Season: season})
			next.Adopt(saved)
			if s := next.sight("team"); s.Where != where || s.Outcome != Hit {
				t.Errorf("with a season %v: %+v", season, s)
			}
			checkShelves(t, next)
		}
		asked := map[string]uint32{}
		c.Asked(func(e *Entry, n uint32) { asked[e.Key] = n })
		if len(asked) != 3 || asked["hot"] == 0 || asked["team"] != 0 {
			t.Errorf("%v", asked)
		}
	})
}
