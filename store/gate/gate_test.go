package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// entering lets n callers enter and returns a counter of those admitted.
func entering(g *Gate, urgent bool, n int) *atomic.Int64 {
	var entered atomic.Int64
	for range n {
		go func() {
			if g.Enter(context.Background(), urgent) == nil {
				entered.Add(1)
			}
		}()
	}
	synctest.Wait()
	return &entered
}

// The limit shrinks to the number that the server grants, reserves a place for urgent
// callers, and grows by one after a pause that doubles with each refusal.
func TestGateShrinksAndGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(8)
		first := entering(g, false, 8)
		if first.Load() != 8 {
			t.Fatalf("%d of 8 enter", first.Load())
		}
		for granted := 7; granted >= 2; granted-- {
			if limit, shrunk := g.Shrink(granted); limit != granted || !shrunk {
				t.Errorf("granted %d: limit %d, %v", granted, limit, shrunk)
			}
		}
		if limit, shrunk := g.Shrink(4); limit != 2 || shrunk {
			t.Errorf("more granted: limit %d, %v", limit, shrunk)
		}
		for range 8 {
			g.Leave(false)
		}
		readers := entering(g, false, 2)
		if readers.Load() != 1 {
			t.Errorf("%d readers with a limit of 2, one place of which is the poll's", readers.Load())
		}
		if polls := entering(g, true, 1); polls.Load() != 1 {
			t.Error("no place for the poll")
		}
		g.Leave(true)

		// A refused attempt to grow doubles the pause.
		pause := firstGrowth
		for range 8 {
			time.Sleep(pause - time.Millisecond)
			g.Leave(false)
			synctest.Wait()
			g.Enter(t.Context(), true)
			entering(g, false, 2) // a caller always waits
			if g.limit != 2 {
				t.Fatalf("limit %d before the pause of %v has ended", g.limit, pause)
			}
			time.Sleep(time.Millisecond)
			g.Leave(true)
			if g.limit != 3 {
				t.Fatalf("limit %d after a pause of %v", g.limit, pause)
			}
			g.Shrink(2)
			pause = min(2*pause, longestGrowth)
			if g.used > g.limit {
				g.Leave(false)
			}
		}
		// A success resets the pause.
		time.Sleep(pause)
		g.Leave(false)
		time.Sleep(pause)
		g.Leave(false)
		if g.limit != 4 || g.growth.pause != firstGrowth {
			t.Errorf("limit %d, next attempt in %v", g.limit, g.growth.pause)
		}
		for g.used > 0 || len(g.queue) > 0 {
			g.Leave(false)
			synctest.Wait()
		}
		if limit, _ := g.Shrink(0); limit != 1 {
			t.Errorf("nothing granted: limit %d", limit)
		}
		if last := entering(g, false, 1); last.Load() != 1 {
			t.Error("a reader does not get the only place")
		}
		if g.refused != 6+1+8+1 {
			t.Errorf("%d refusals are counted", g.refused)
		}
	})
}

// A caller whose context ends leaves the queue and takes no place.
func TestGateWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(1)
		if err := g.Enter(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if err := g.Enter(ctx, true); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		g.Leave(false)
		if err := g.Enter(t.Context(), false); err != nil || g.used != 1 || g.waits != 1 || g.waited != time.Second {
			t.Errorf("%v, %d in use, %d waits of %v", err, g.used, g.waits, g.waited)
		}
	})
}

// In any order of calls the limits hold, urgent callers come first, normal callers are
// served in order, and no place is free while a caller that may take it waits.
func TestGateInAnyOrder(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			g := New(1 + random.IntN(6))
			var mu sync.Mutex
			var inside []bool               // urgent
			served := map[time.Time][]int{} // turns by the time of admission
			enter := func(urgent bool, turn int) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+random.IntN(100_000))*time.Millisecond)
				go func() {
					defer cancel()
					if g.Enter(ctx, urgent) != nil {
						return
					}
					mu.Lock()
					defer mu.Unlock()
					inside = append(inside, urgent)
					if !urgent {
						served[time.Now()] = append(served[time.Now()], turn)
					}
				}()
				synctest.Wait()
			}
			out := func(random *rand.Rand) (urgent, ok bool) { // picks a caller to leave
				mu.Lock()
				defer mu.Unlock()
				if len(inside) == 0 {
					return false, false
				}
				i := random.IntN(len(inside))
				urgent = inside[i]
				inside = slices.Delete(inside, i, i+1)
				return urgent, true
			}
			for turn := range 60 {
				g.mu.Lock()
				before := g.used
				g.mu.Unlock()
				switch random.IntN(5) {
				case 0, 1:
					enter(false, turn)
				case 2:
					enter(true, turn)
				case 3:
					if urgent, ok := out(random); ok {
						g.Leave(urgent)
					}
				case 4:
					g.Shrink(random.IntN(g.most + 1))
				}
				time.Sleep(time.Duration(random.IntN(8000)) * time.Millisecond)
				synctest.Wait()
				mu.Lock()
				g.mu.Lock()
				readers := 0
				for _, urgent := range inside {
					if !urgent {
						readers++
					}
				}
				wrong := g.normal != readers || g.used != len(inside) || g.used > max(g.limit, before) || g.limit < 1 || g.limit > g.most ||
					len(g.urgent) > 0 && g.fits(true) || len(g.urgent) == 0 && len(g.queue) > 0 && g.fits(false)
				state := fmt.Sprintf("seed %d: %d of %d places used (before %d), %d and %d wait, %d callers inside", seed, g.used, g.limit, before, len(g.urgent), len(g.queue), len(inside))
				g.mu.Unlock()
				mu.Unlock()
				if wrong {
					t.Fatal(state)
				}
			}
			for urgent, ok := out(random); ok; urgent, ok = out(random) {
				g.Leave(urgent)
				synctest.Wait()
			}
			time.Sleep(200 * time.Second) // every waiting caller's context has ended
			mu.Lock()
			defer mu.Unlock()
			last := -1
			for _, at := range slices.SortedFunc(maps.Keys(served), time.Time.Compare) {
				if first := slices.Min(served[at]); first < last {
					t.Errorf("seed %d: reader %d served after %d", seed, first, last)
				}
				last = slices.Max(served[at])
			}
		})
	}
}

// Without demand the limit stays. A caller that finds no free place after a quiet
// period raises the limit instead of waiting.
func TestGateGrowsOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(8)
		g.Shrink(3)
		time.Sleep(time.Hour)
		if entered := entering(g, false, 2); entered.Load() != 2 || g.limit != 3 || g.waits != 0 {
			t.Errorf("%d of 2 readers enter, limit %d, %d waits", entered.Load(), g.limit, g.waits)
		}
		g.Leave(false)
		if g.limit != 3 {
			t.Errorf("limit %d without demand", g.limit)
		}
		g.Enter(t.Context(), false)
		if third := entering(g, false, 1); third.Load() != 1 || g.limit != 4 {
			t.Errorf("%d more readers enter, limit %d", third.Load(), g.limit)
		}
	})
}

// TestShrinkReportsALowerLimit: a refusal lowers the limit only below its present value.
func TestShrinkReportsALowerLimit(t *testing.T) {
	g := New(3)
	for _, tt := range []struct {
		granted, limit int
		shrunk         bool
	}{{3, 3, false}, {2, 2, true}, {2, 2, false}, {5, 2, false}, {0, 1, true}} {
		if limit, shrunk := g.Shrink(tt.granted); limit != tt.limit || shrunk != tt.shrunk {
			t.Errorf("granted %d: limit %d, %t", tt.granted, limit, shrunk)
		}
	}
}

// TestWaiting: callers wait, urgent or not, from a full gate until they have a place.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(1)
		for _, urgent := range []bool{false, true} {
			entering(g, urgent, 1)
			if g.Waiting() {
				t.Error("a caller waits at a free place")
			}
			entering(g, !urgent, 1)
			if !g.Waiting() {
				t.Errorf("no caller waits at a full gate, urgent: %t", !urgent)
			}
			g.Leave(urgent)
			if g.Waiting() {
				t.Error("a caller waits after it has its place")
			}
			g.Leave(!urgent)
		}
	})
}
