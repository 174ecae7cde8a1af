package turns

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
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
		all := lanes[0] + lanes[1] + lanes[2] + lanes[Idle]
		if w.Lane == Idle { // requests may have filled the slots since it began
			return all >= l.all || lanes[Idle] > 0
		}
		return all >= l.all || lanes[w.Lane] >= l.own[w.Lane] || w.Lane != Quick && lanes[1]+lanes[2] >= l.long ||
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
	busy := slices.ContainsFunc(slices.Collect(maps.Keys(ts.queues)), func(at class) bool { return at.lane != Idle })
	free := l.all - len(running)
	for at, queue := range ts.queues {
		for i, w := range queue {
			if w.Lane == Idle && (busy || free < l.spare) {
				continue
			}
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

// The limits of few slots, where the rules of newLimits exclude each other, and of many.
func TestLimits(t *testing.T) {
	for n, want := range map[int]limits{
		1:  {all: 1, own: [Lanes]int{1, 1, 1, 1}, long: 1, part: [Idle]int{1, 1, 1}, spare: 1, client: 1},
		2:  {all: 2, own: [Lanes]int{1, 1, 1, 1}, long: 1, part: [Idle]int{2, 1, 1}, spare: 2, client: 1},
		3:  {all: 3, own: [Lanes]int{2, 2, 1, 1}, long: 2, part: [Idle]int{2, 1, 1}, spare: 2, client: 1},
		4:  {all: 4, own: [Lanes]int{3, 3, 2, 1}, long: 3, part: [Idle]int{2, 1, 1}, spare: 2, client: 1},
		8:  {all: 8, own: [Lanes]int{7, 7, 3, 1}, long: 7, part: [Idle]int{4, 3, 2}, spare: 2, client: 2},
		20: {all: 20, own: [Lanes]int{19, 19, 6, 1}, long: 19, part: [Idle]int{10, 9, 8}, spare: 2, client: 5},
	} {
		if got := newLimits(n); got != want {
			t.Errorf("%d slots: %+v, want %+v", n, got, want)
		}
	}
}

// Without lanes, Quick turns may take all slots.
func TestWithoutLanes(t *testing.T) {
	for lanes, want := range map[bool]int64{true: 2, false: 3} {
		synctest.Test(t, func(t *testing.T) {
			ts, running := New(3, lanes), int64(0)
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			for range 4 {
				if ts.Enter(ctx, &Turn{}) == nil {
					running++
				}
			}
			cancel()
			if got := ts.Stats()[Quick].Running; got != want || running != want {
				t.Errorf("lanes %t: %d turns run, %d have entered, want %d", lanes, got, running, want)
			}
		})
	}
}

// Turns of all lanes and groups come in the order of their arrival.
func TestOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts, first := New(1, true), &Turn{}
		if err := ts.Enter(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		var order, want []int
		for i := range 40 {
			turn := &Turn{Lane: Lane(i % int(Idle)), Group: string(rune('a' + i%7))}
			want = append(want, i)
			go func() {
				if ts.Enter(t.Context(), turn) == nil {
					order = append(order, i)
					ts.Leave(turn)
				}
			}()
			synctest.Wait()
		}
		if got := ts.Stats(); got != [Lanes]Stats{{1, 14}, {0, 13}, {0, 13}, {}} {
			t.Errorf("%+v", got)
		}
		ts.Leave(first)
		synctest.Wait()
		if !slices.Equal(order, want) {
			t.Errorf("%d", order)
		}
	})
}

// An idle turn gives way to each turn that waits, also to turns that come after it, leaves
// a slot free, and is the only one of its lane.
func TestIdleTurnsGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := New(4, true)
		enter := func(lane Lane) (turn *Turn, running func() bool) {
			turn = &Turn{Lane: lane, Group: "table"}
			var got atomic.Bool
			go func() { got.Store(ts.Enter(t.Context(), turn) == nil) }()
			synctest.Wait()
			return turn, got.Load
		}
		quick, _ := enter(Quick)
		heavy, _ := enter(Heavy)
		idle, first := enter(Idle)
		again, second := enter(Idle)
		if !first() || second() {
			t.Fatalf("with two slots free: %v, %v", first(), second())
		}
		costly, visitor := enter(Costly)
		if visitor() { // its group has two slots, and an idle turn counts for none
			t.Fatal("a third turn of the table")
		}
		ts.Leave(idle)
		synctest.Wait()
		if second() {
			t.Error("an idle turn began while another waited")
		}
		ts.Leave(quick)
		ts.Leave(heavy)
		synctest.Wait()
		if !visitor() || !second() {
			t.Errorf("with three slots free: %v, %v", visitor(), second())
		}
		ts.Leave(again)
		for range 2 { // of other tables
			if ts.Enter(t.Context(), &Turn{}) != nil {
				t.Fatal("no slot is free")
			}
		}
		if _, third := enter(Idle); third() {
			t.Error("the last slot went to an idle turn")
		}
		ts.Leave(costly)
		synctest.Wait()
		if got := ts.Stats()[Idle]; got != (Stats{1, 0}) {
			t.Errorf("%+v", got)
		}
	})
}

// A turn that comes at the moment at which its caller gives up goes to the next.
func TestTurnComesTooLate(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			ts, first, late, next := New(1, true), &Turn{}, &Turn{}, &Turn{}
			if err := ts.Enter(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if ts.Enter(ctx, late) == nil {
					ts.Leave(late)
				}
			}()
			synctest.Wait()
			came := false
			go func() { came = ts.Enter(t.Context(), next) == nil }()
			synctest.Wait()
			ts.Leave(first)
			cancel()
			synctest.Wait()
			if !came {
				t.Fatal("the next turn does not come")
			}
		})
	}
}

func TestLaneNames(t *testing.T) {
	for lane, want := range map[Lane]string{Quick: "quick", Heavy: "heavy", Costly: "costly"} {
		if lane.String() != want {
			t.Errorf("%q, want %q", lane, want)
		}
	}
}
