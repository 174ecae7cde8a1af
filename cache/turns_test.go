package cache

import (
	"context"
	"fmt"
	"math/rand/v2"
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

// TestTurns takes turns in random order and checks at each step that the limits hold,
// that the longest waiting turn comes first, and that no slot is idle while a waiting
// turn may use it.
func TestTurns(t *testing.T) {
	for n := 1; n <= 12; n++ {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			ts := newTurns(newLimits(n))
			ctx, cancel := context.WithCancel(t.Context())
			var waiting sync.WaitGroup
			var mu sync.Mutex
			var running []*turn
			for range 2000 {
				mu.Lock()
				end := len(running) > 0 && random.IntN(2) == 0
				if end {
					i := random.IntN(len(running))
					ts.leave(running[i])
					running = append(running[:i], running[i+1:]...)
				}
				mu.Unlock()
				if !end {
					asked := &turn{lane: Lane(random.IntN(int(Lanes))), group: []string{"", "a", "b", "c"}[random.IntN(4)], client: []string{"", "x", "y"}[random.IntN(3)]}
					patience := time.Hour
					if random.IntN(4) == 0 {
						patience = time.Duration(random.IntN(20)) * time.Second
					}
					waiting.Go(func() {
						limited, stop := context.WithTimeout(ctx, patience)
						defer stop()
						if ts.enter(limited, asked) != nil {
							return
						}
						mu.Lock()
						defer mu.Unlock()
						running = append(running, asked)
					})
				}
				time.Sleep(time.Second)
				synctest.Wait()
				mu.Lock()
				checkTurns(t, ts, running)
				mu.Unlock()
			}
			cancel()
			waiting.Wait()
			for _, r := range running {
				ts.leave(r)
			}
			if ts.running != [Lanes]int{} || len(ts.groups)+len(ts.clients)+len(ts.queues) != 0 {
				t.Errorf("left over: %+v", ts)
			}
		})
	}
}

// checkTurns recounts the running turns and compares them with the limits.
func checkTurns(t *testing.T, ts *turns, running []*turn) {
	t.Helper()
	l, lanes, groups, clients := ts.limits, [Lanes]int{}, map[string]*[Lanes]int{}, map[string]int{}
	full := func(w *turn) bool {
		g := groups[w.group]
		if g == nil || w.group == "" {
			g = &[Lanes]int{}
		}
		return lanes[0]+lanes[1]+lanes[2] >= l.all || lanes[w.lane] >= l.own[w.lane] || w.lane != Quick && lanes[1]+lanes[2] >= l.long ||
			g[0]+g[1]+g[2] >= l.part[0] || w.lane > 0 && g[1]+g[2] >= l.part[1] || w.lane > 1 && g[2] >= l.part[2] ||
			w.lane == Costly && w.client != "" && clients[w.client] >= l.client
	}
	for _, r := range running {
		// Turns begin in any order within the limits, so each must find room beside the others.
		lanes[r.lane]++
		if groups[r.group] == nil {
			groups[r.group] = &[Lanes]int{}
		}
		groups[r.group][r.lane]++
		if r.lane == Costly {
			clients[r.client]++
		}
	}
	for _, r := range running {
		lanes[r.lane]--
		groups[r.group][r.lane]--
		if r.lane == Costly {
			clients[r.client]--
		}
		if full(r) {
			t.Fatalf("%+v is over the limits %+v", r, l)
		}
		lanes[r.lane]++
		groups[r.group][r.lane]++
		if r.lane == Costly {
			clients[r.client]++
		}
	}
	for at, queue := range ts.queues {
		for i, w := range queue {
			if i > 0 && queue[i-1].number >= w.number {
				t.Fatalf("%v: %d waits before %d", at, queue[i-1].number, w.number)
			}
			if !full(w) {
				t.Fatalf("%+v waits although there is room: limits %+v, running %v", w, l, lanes)
			}
		}
	}
}

// TestTurnsKeepASlotForEachLane: however many turns wait, a lane gets a slot as soon
// as one of its own fills has ended.
func TestTurnsKeepASlotForEachLane(t *testing.T) {
	for n := 4; n <= 40; n++ {
		l := newLimits(n)
		if l.own[Costly] >= l.long || l.long >= n || l.own[Quick] >= n || l.own[Costly] < 1 || l.group > (n+1)/2 || l.client >= l.own[Costly] {
			t.Errorf("%d slots: %+v", n, l)
		}
		if n >= 6 && (l.part[Costly] >= l.part[Heavy] || l.part[Heavy] >= l.part[Quick]) {
			t.Errorf("%d slots: %+v", n, l)
		}
	}
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
// limits as fills of requests.
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
