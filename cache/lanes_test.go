package cache

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// laneOf reads the lane and the group from a key such as costly/athletes?1.
func laneOf(key string) (Lane, string) {
	at, _, _ := strings.Cut(key, "?")
	lane, group, _ := strings.Cut(at, "/")
	for l := range Lanes {
		if l.String() == lane {
			return l, group
		}
	}
	panic(key)
}

// TestLongFillsDoNotDelayShortOnes: searches, whole lists and answers of a table whose
// rows are locked leave slots for everything else.
func TestLongFillsDoNotDelayShortOnes(t *testing.T) {
	for _, tt := range []struct{ name, held, prompt string }{
		{"searches", "costly/athletes", "quick/athletes heavy/athletes quick/teams heavy/teams"},
		{"whole lists", "heavy/athletes", "quick/athletes quick/teams heavy/teams costly/teams"},
		{"a locked table", "quick/athletes", "quick/teams heavy/teams costly/teams"},
		{"lists of every table", "heavy/athletes heavy/teams heavy/scs", "quick/athletes quick/teams quick/metadata"},
		{"searches in every table", "costly/athletes costly/teams costly/scs", "quick/athletes heavy/athletes heavy/metadata"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := &fakeOrigin{}
			held := map[string]bool{}
			o.shape = func(e *Entry) {
				at, _, _ := strings.Cut(e.Key, "?")
				if held[at] {
					time.Sleep(10 * time.Second)
				}
			}
			opts := times
			opts.Fills, opts.Lane, opts.WaitTimeout, opts.FillTimeout = 7, laneOf, time.Hour, 10*time.Minute
			bubble(t, o, opts, func(t *testing.T, c *Cache) {
				for _, at := range strings.Fields(tt.held) {
					held[at] = true
				}
				var all sync.WaitGroup
				for at := range held {
					for i := range 20 {
						all.Go(func() {
							if _, _, err := c.lookup(fmt.Sprintf("%s?%d", at, i)); err != nil {
								t.Error(err)
							}
						})
					}
				}
				synctest.Wait()
				start := time.Now()
				for _, at := range strings.Fields(tt.prompt) {
					for i := range 20 {
						if held[at] {
							t.Fatal(at)
						}
						if _, _, err := c.lookup(at + "?prompt" + strconv.Itoa(i)); err != nil {
							t.Error(at, err)
						}
					}
				}
				if waited := time.Since(start); waited > 0 {
					t.Errorf("they waited %v", waited)
				}
				all.Wait()
				if s := c.Stats(); s.Filling != 0 || s.Failures != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestRefreshesAndWarmUpsTakeTurns: fills that no request waits for have the same
// limits of lanes as fills of requests.
func TestRefreshesAndWarmUpsTakeTurns(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	opts := times
	opts.Fills, opts.Lane = 7, laneOf
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		var all sync.WaitGroup
		keys := make([]string, 4)
		for i := range keys {
			keys[i] = fmt.Sprintf("costly/athletes?%d", i)
		}
		all.Go(func() { c.Prepare(t.Context(), o.moveTo("2"), keys, func(Warmed) {}) })
		synctest.Wait()
		if s := c.Stats(); s.Lanes[Costly] != (LaneStats{Running: 2, Queued: 2}) {
			t.Errorf("%+v", s.Lanes)
		}
		close(o.gate)
		all.Wait()
	})
}

// TestWarmUpOfOneTable: the lists of one table are prepared concurrently, as far as their lane
// has slots. They leave slots for the lists and the quick answers that requests need.
func TestWarmUpOfOneTable(t *testing.T) {
	for fills, want := range map[int]struct{ warm, all LaneStats }{
		3: {LaneStats{Running: 2, Queued: 1}, LaneStats{Running: 2, Queued: 2}},
		7: {LaneStats{Running: warmFills}, LaneStats{Running: warmFills + 1}},
	} {
		o := &fakeOrigin{gate: gated}
		opts := times
		opts.Fills, opts.Lane = fills, laneOf
		bubble(t, o, opts, func(t *testing.T, c *Cache) {
			var all sync.WaitGroup
			var keys []string
			for i := range 9 {
				keys = append(keys, fmt.Sprintf("heavy/athletes?%d", i))
			}
			all.Go(func() { c.Prepare(t.Context(), o.moveTo("2"), keys, func(Warmed) {}) })
			synctest.Wait()
			if s := c.Stats(); s.Lanes[Heavy] != want.warm {
				t.Errorf("%d slots: %+v, want %+v", fills, s.Lanes[Heavy], want.warm)
			}
			for _, key := range []string{"heavy/athletes?request", "quick/athletes?request"} {
				all.Go(func() {
					if _, _, err := c.lookup(key); err != nil {
						t.Error(key, err)
					}
				})
			}
			synctest.Wait()
			if s := c.Stats(); s.Lanes[Heavy] != want.all || s.Lanes[Quick] != (LaneStats{Running: 1}) {
				t.Errorf("%d slots, with requests: %+v, want %+v", fills, s.Lanes, want.all)
			}
			close(o.gate)
			all.Wait()
		})
	}
}
