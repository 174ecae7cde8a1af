package turns

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurns takes turns in random order and checks at each step that the limits hold,
// that the longest waiting turn comes first, and that no slot is idle while a waiting
// turn may use it.
func TestTurns(t *testing.T) {
	for n := 1; n <= 12; n++ {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			ts := New(n, true)
			ctx, cancel := context.WithCancel(t.Context())
			var waiting sync.WaitGroup
			var mu sync.Mutex
			var running []*Turn
			for range 2000 {
				mu.Lock()
				end := len(running) > 0 && random.IntN(2) == 0
				if end {
					i := random.IntN(len(running))
					ts.Leave(running[i])
					running = append(running[:i], running[i+1:]...)
				}
				mu.Unlock()
				if !end {
					asked := &Turn{Lane: Lane(random.IntN(int(Lanes))), Group: []string{"", "a", "b", "c"}[random.IntN(4)], Client: []string{"", "x", "y"}[random.IntN(3)]}
					patience := time.Hour
					if random.IntN(4) == 0 {
						patience = time.Duration(random.IntN(20)) * time.Second
					}
					waiting.Go(func() {
						limited, stop := context.WithTimeout(ctx, patience)
						defer stop()
						if ts.Enter(limited, asked) != nil {
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
				ts.Leave(r)
			}
			if ts.running != [Lanes]int{} || len(ts.groups)+len(ts.clients)+len(ts.queues) != 0 {
				t.Errorf("left over: %+v", ts)
			}
		})
	}
}

// checkTurns recounts the running turns and compares them with the limits.
func checkTurns(t *testing.T, ts *Turns, running []*Turn) {
	t.Helper()
	l, lanes, groups, clients := ts.limits, [Lanes]int{}, map[string]*[Lanes]int{}, map[string]int{}
	full := func(w *Turn) bool {
		g := groups[w.Group]
		if g == nil || w.Group == "" {
			g = &[Lanes]int{}
		}
		return lanes[0]+lanes[1]+lanes[2] >= l.all || lanes[w.Lane] >= l.own[w.Lane] || w.Lane != Quick && lanes[1]+lanes[2] >= l.long ||
			g[0]+g[1]+g[2] >= l.part[0] || w.Lane > 0 && g[1]+g[2] >= l.part[1] || w.Lane > 1 && g[2] >= l.part[2] ||
			w.Lane == Costly && w.Client != "" && clients[w.Client] >= l.client
	}
	for _, r := range running {
		// Turns begin in any order within the limits, so each must find room beside the others.
		lanes[r.Lane]++
		if groups[r.Group] == nil {
			groups[r.Group] = &[Lanes]int{}
		}
		groups[r.Group][r.Lane]++
		if r.Lane == Costly {
			clients[r.Client]++
		}
	}
	for _, r := range running {
		lanes[r.Lane]--
		groups[r.Group][r.Lane]--
		if r.Lane == Costly {
			clients[r.Client]--
		}
		if full(r) {
			t.Fatalf("%+v is over the limits %+v", r, l)
		}
		lanes[r.Lane]++
		groups[r.Group][r.Lane]++
		if r.Lane == Costly {
			clients[r.Client]++
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
		if l.own[Costly] >= l.long || l.long >= n || l.own[Quick] >= n || l.own[Costly] < 1 || l.part[Quick] > (n+1)/2 || l.client >= l.own[Costly] {
			t.Errorf("%d slots: %+v", n, l)
		}
		if n >= 6 && (l.part[Costly] >= l.part[Heavy] || l.part[Heavy] >= l.part[Quick]) {
			t.Errorf("%d slots: %+v", n, l)
		}
	}
}
