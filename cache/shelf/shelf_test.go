package shelf

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// thing is an item of the tests.
type thing struct{ Label }

func newThing(key string, asked uint32) *thing {
	made := &thing{Label{Key: key}}
	made.Asked.Store(asked)
	return made
}

func newShelves(t testing.TB, bytes int64) *Shelves[*thing] {
	t.Helper()
	sh, err := New[*thing](bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sh.Close)
	return sh
}

// stats returns the figures of one shelf.
func (sh *Shelves[T]) stats(at Place) Stats { return sh.Stats()[at-Warm] }

// audit returns the first contradiction between the shelves, their items and the policies.
func audit(sh *Shelves[*thing]) error {
	total := int64(0)
	for at := Warm; at < places; at++ {
		p, bytes := sh.all[at], int64(0)
		for i, item := range p.items {
			if item.Place() != at || item.position != i {
				return fmt.Errorf("%s: %s is at %q, position %d of %d", at, item.Key, item.Place(), item.position, i)
			}
			if p.policy != nil && !p.policy.Has(item.Key, item) {
				return fmt.Errorf("%s: the policy does not have %s", at, item.Key)
			}
			bytes += item.cost
		}
		if bytes != p.Bytes || bytes > p.Budget {
			return fmt.Errorf("%s: counts %d bytes, holds %d, budget %d", at, p.Bytes, bytes, p.Budget)
		}
		if p.policy != nil && p.policy.Room() != p.Budget-bytes {
			return fmt.Errorf("%s: the policy has room for %d bytes, want %d", at, p.policy.Room(), p.Budget-bytes)
		}
		total += bytes
	}
	if total > sh.bytes || len(sh.all[Nowhere].items) > 0 {
		return fmt.Errorf("%d bytes of %d, %d items nowhere", total, sh.bytes, len(sh.all[Nowhere].items))
	}
	return nil
}

// After any calls all budgets hold, the policies know the same items, and the caller
// has learned of each item that left.
func TestBookkeeping(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		sh := newShelves(t, 200_000)
		if seed%2 == 1 {
			sh.KeepSeason()
		}
		things, at := make([]*thing, 60), map[*thing]Place{}
		for i := range things {
			things[i] = newThing(strconv.Itoa(i), 0)
		}
		var stop atomic.Bool
		var visitors sync.WaitGroup
		visitors.Go(func() {
			for n := 0; !stop.Load(); n++ {
				item := things[n%len(things)]
				if asked, note := item.Count(); note {
					sh.Note(&item.Label, asked)
				}
				sh.all[Tail].policy.Touch("unknown")
			}
		})
		left := func(out ...*thing) {
			for _, item := range out {
				delete(at, item)
			}
		}
		for range 400 {
			item, cost := things[random.IntN(len(things))], int64(1+random.IntN(12_000))
			switch action := random.IntN(11); action {
			case 8:
				sh.BeginRound()
			case 9:
				if random.IntN(8) == 0 {
					left(sh.EndRound()...)
				}
			case 10:
				kept, out := sh.PutSeason(item, cost)
				left(out...)
				if kept {
					at[item] = Season
				}
			case 0:
				sh.Remove(item)
				left(item)
			case 1:
				out := sh.Promote(item)
				left(out...)
			case 2:
				left(sh.Share(random.Int64N(90_000))...)
				left(sh.Share(sh.Bytes(Warm))...)
			default:
				to := Place(action - 2) // warm to absent
				to = min(to, Absent)
				if to <= Hot && (at[item] == to && !sh.Fits(item, cost) || at[item] != to && !sh.HasRoom(to, cost)) {
					continue
				}
				kept, out := sh.Put(item, to, cost)
				left(out...)
				if at[item] = to; !kept {
					left(item)
				}
				left(sh.Share(sh.Bytes(Warm))...)
			}
			for item := range at { // some have moved between hot and tail
				if item.Place() == Nowhere {
					t.Fatalf("%s left without a report", item.Key)
				}
				at[item] = item.Place()
			}
			if err := audit(sh); err != nil {
				t.Fatal(err)
			}
			for _, item := range things {
				if item.Place() != at[item] {
					t.Fatalf("%s is at %q, reported at %q", item.Key, item.Place(), at[item])
				}
			}
		}
		stop.Store(true)
		visitors.Wait()
	}
}

// A budget that is too small for a shelf is an error, and leaves no goroutine.
func TestNew(t *testing.T) {
	for _, bytes := range []int64{0, 1, 19} {
		synctest.Test(t, func(t *testing.T) {
			if _, err := New[*thing](bytes); err == nil {
				t.Errorf("no error with %d bytes, too few for the shelves", bytes)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { newShelves(t, 1000) }) // Close leaves none, too
}

// stock puts items of one cost on a shelf until it is full.
func stock(sh *Shelves[*thing], at Place, cost int64, asked uint32) (items []*thing) {
	for sh.Bytes(at)+cost <= sh.Budget(at) {
		item := newThing(fmt.Sprint(at, len(items)), asked)
		sh.Put(item, at, cost)
		items = append(items, item)
	}
	return items
}

// An item may take the largest share of a shelf and no byte more. An item that grows
// beyond it leaves. The warm set has no such limit.
func TestLargestItem(t *testing.T) {
	for at := Hot; at <= Absent; at++ {
		sh, item := newShelves(t, 1<<20), newThing("list", 0)
		most := sh.Budget(at) / largestShare
		if at == Hot {
			if !sh.HasRoom(Hot, most) || sh.HasRoom(Hot, most+1) {
				t.Error("the hot shelf has room for another size")
			}
			for over := range int64(2) {
				sh.Put(item, Tail, most+over)
				if sh.Promote(item); (item.Place() == Hot) != (over == 0) {
					t.Errorf("%d bytes over the limit: it is %s", over, item.Place())
				}
			}
			continue
		}
		if kept, out := sh.Put(item, at, most); !kept || out != nil {
			t.Errorf("%s: the largest item is not kept", at)
		}
		if kept, out := sh.Put(item, at, most+1); kept || out != nil || item.Place() != Nowhere {
			t.Errorf("%s: a larger item is kept", at)
		}
		if s := sh.stats(at); s.TooLarge != 1 || s.Entries != 0 || s.Bytes != 0 {
			t.Errorf("%+v", s)
		}
	}
	sh, all := newShelves(t, 1<<20), newThing("all", 0)
	most := sh.Budget(Warm)
	if !sh.HasRoom(Warm, most) || sh.HasRoom(Warm, most+1) {
		t.Error("the warm set has room for another size")
	}
	if kept, out := sh.Put(all, Warm, most); !kept || out != nil || all.Place() != Warm {
		t.Errorf("an item of the warm set's size is %q", all.Place())
	}
}

// An item fits at a cost that fills its shelf, and at no higher cost.
func TestFits(t *testing.T) {
	sh := newShelves(t, 1<<20)
	items := stock(sh, Warm, 10_000, 0)
	left := sh.Budget(Warm) - sh.Bytes(Warm)
	if !sh.Fits(items[0], 10_000+left) || sh.Fits(items[0], 10_001+left) {
		t.Error("the limit is another")
	}
	if got := sh.Items(Warm); !slices.Equal(got, items) {
		t.Errorf("%d items, want %d", len(got), len(items))
	}
	sh.Remove(items[0])
	if items := sh.all[Warm].items; items[:len(items)+1][len(items)] != nil {
		t.Error("an item that was removed is kept in memory")
	}
}

// A displacement takes as many items as it needs, of a sample that moves on.
func TestDisplacementTakesSeveral(t *testing.T) {
	const cost = 4 << 10
	sh := newShelves(t, 1<<20)
	hot := stock(sh, Hot, cost, 10*displaceAfter)
	if len(hot) < 2*displaceSample {
		t.Fatalf("only %d items", len(hot))
	}
	for _, item := range hot[displaceSample+1 : displaceSample+10] { // the first sample begins at 1
		item.Asked.Store(1)
	}
	item := newThing("list", displaceAfter)
	sh.Put(item, Tail, 2*cost+1)
	if sh.Promote(item); item.Place() != Tail {
		t.Error("an item beyond the first sample was displaced")
	}
	if sh.Promote(item); item.Place() != Hot || sh.stats(Hot).Evicted != 3 && sh.stats(Hot).Evicted != 2 {
		t.Errorf("it is %s: %+v", item.Place(), sh.stats(Hot))
	}
	if err := audit(sh); err != nil {
		t.Error(err)
	}
}

// fill takes the room that is left on the hot shelf with an item that is requested often.
func fill(sh *Shelves[*thing]) {
	if left := sh.Budget(Hot) - sh.Bytes(Hot); left > 0 {
		sh.Put(newThing("filler", 1<<30), Hot, left)
	}
}

// A displacement considers displaceSample items at a time.
func TestDisplacementConsidersASample(t *testing.T) {
	const cost = 4 << 10
	sh := newShelves(t, 1<<20)
	hot := stock(sh, Hot, cost, 10*displaceAfter)
	fill(sh)
	hot[displaceSample+1].Asked.Store(1) // the first sample ends before it
	item := newThing("list", displaceAfter)
	sh.Put(item, Tail, cost)
	for i, want := range []Place{Tail, Hot} {
		if sh.Promote(item); item.Place() != want {
			t.Errorf("after %d samples it is %s, want %s", i+1, item.Place(), want)
		}
	}
}

// If a displaced item finds no room in the tail, the caller learns of the items that leave.
func TestDisplacementReportsWhatLeaves(t *testing.T) {
	const cost = 10_000
	sh := newShelves(t, 1<<20)
	all := stock(sh, Hot, 2*cost, 1)
	fill(sh)
	tail := stock(sh, Tail, cost, displaceAfter)
	all = append(all, tail...)
	out := sh.Promote(tail[0]) // leaves room for half of the displaced item
	if tail[0].Place() != Hot || len(out) == 0 {
		t.Errorf("it is %s, and %d left", tail[0].Place(), len(out))
	}
	for _, item := range all {
		if gone := item.Place() == Nowhere; gone != slices.Contains(out, item) {
			t.Errorf("%s is %q, reported %t", item.Key, item.Place(), !gone)
		}
	}
	if err := audit(sh); err != nil {
		t.Error(err)
	}
}

// Each byte of the warm set is taken from the budget of the hot shelf or of the tail.
func TestShareOfEachByte(t *testing.T) {
	sh := newShelves(t, 1<<20)
	for warm := range int64(10) {
		sh.Share(warm)
		hot, tail, absent := sh.shares(warm)
		if sh.Budget(Hot) != hot || sh.Budget(Tail) != tail || hot+tail+absent+warm != 1<<20 {
			t.Errorf("beside %d bytes: hot %d, want %d; tail %d, want %d", warm, sh.Budget(Hot), hot, sh.Budget(Tail), tail)
		}
		if err := audit(sh); err != nil {
			t.Error(err)
		}
	}
}

// A shelf gives up as many items as its budget needs.
func TestExcess(t *testing.T) {
	const cost = 10_000
	sh := newShelves(t, 1<<20)
	stock(sh, Hot, cost, 1)
	hot := sh.all[Hot]
	for over, want := range map[int64]int{-1: 0, 0: 0, 1: 1, cost: 1, cost + 1: 2, 3 * cost: 3} {
		if hot.Budget = hot.Bytes - over; len(hot.excess()) != want {
			t.Errorf("%d bytes over the budget: %d items, want %d", over, len(hot.excess()), want)
		}
	}
}

// A shelf whose budget shrinks loses its least requested items, and no more than it must:
// the hot shelf to the tail, the tail to the caller.
func TestShare(t *testing.T) {
	const cost = 10_000
	for _, at := range []Place{Hot, Tail} {
		sh := newShelves(t, 1<<20)
		items := stock(sh, at, cost, 0)
		for i, item := range items {
			item.Asked.Store(uint32(i*7%len(items)) + 1)
		}
		out := sh.Share(sh.Budget(Warm))
		if err := audit(sh); err != nil {
			t.Error(err)
		}
		if at == Hot && len(out) > 0 {
			t.Errorf("%d hot items left", len(out))
		}
		gone, least, most := 0, uint32(1<<30), uint32(0)
		for _, item := range items {
			if asked := item.Asked.Load(); item.Place() == at {
				least = min(least, asked)
			} else {
				gone++
				most = max(most, asked)
			}
		}
		s := sh.stats(at)
		if gone == 0 || most > least || s.Bytes+cost <= s.Budget || s.Evicted != int64(gone) || at == Tail && len(out) != gone {
			t.Errorf("%d are gone, requested at most %d times, others at least %d: %+v, %d left", gone, most, least, s, len(out))
		}
	}
}

// The figures count each event, and the budgets add up to the budget of the cache.
func TestStats(t *testing.T) {
	sh := newShelves(t, 1000)
	sum := int64(0)
	for i, s := range sh.Stats() {
		if sum += s.Budget; s.Name != []string{"warm", "hot", "tail", "absent", "season"}[i] {
			t.Errorf("%+v", s)
		}
	}
	if warm := sh.stats(Warm); sum != 1000 || warm.Budget != 0 { // the remainder of the others
		t.Errorf("the sum is %d, %d for the warm set", sum, warm.Budget)
	}
	sh.Share(450)
	if warm := sh.stats(Warm); warm.Budget != 450 {
		t.Errorf("%+v", warm)
	}
	sh.LeaveOut(3)
	if warm := sh.stats(Warm); warm.TooLarge != 3 {
		t.Errorf("%+v", warm)
	}
	sh.Close()
	item := newThing("late", 0)
	if kept, out := sh.Put(item, Tail, 1); kept || out != nil || sh.stats(Tail).Dropped != 1 || sh.stats(Tail).Rejected != 0 || item.Place() != Nowhere {
		t.Errorf("%+v", sh.stats(Tail))
	}
}

// The shelves divide the budget by the percentages of the constants; hotShare applies
// to the room that the other shelves leave.
func TestShares(t *testing.T) {
	sh := newShelves(t, 1_000_000)
	for i, want := range []int64{450_000, 380_000, 570_000, 50_000} {
		if at := Warm + Place(i); sh.Budget(at) != want {
			t.Errorf("%s: %d bytes, want %d", at, sh.Budget(at), want)
		}
	}
	if h, tl, a := sh.shares(450_000); h != 200_000 || tl != 300_000 || a != 50_000 {
		t.Errorf("beside a full warm set: hot %d, tail %d, absent %d", h, tl, a)
	}
}

// The admission policy is touched by the first requests for an item and by every
// touchEvery-th later request, also for hot items, which may return to the tail, but
// not for the warm set.
func TestPolicyHearsOfRequests(t *testing.T) {
	for n := uint32(1); n <= 10*touchEvery; n++ {
		if want := n < touchEvery || n%touchEvery == 0; touches(n) != want {
			t.Errorf("request %d touches the policy: %t", n, !want)
		}
	}
	for at, want := range [places]Place{Nowhere: Nowhere, Warm: Nowhere, Hot: Tail, Tail: Tail, Absent: Absent} {
		if got := touchedFrom(Place(at)); got != want {
			t.Errorf("of requests on shelf %d hears shelf %d, want %d", at, got, want)
		}
	}
}

// Note touches the policy of the item's shelf, and no other.
func TestNoteTouchesThePolicy(t *testing.T) {
	sh := newShelves(t, 1_000_000)
	var touched []string
	for _, at := range []Place{Tail, Absent} {
		sh.all[at].touch = func(key string) { touched = append(touched, at.String()+" "+key) }
	}
	for at := Warm; at < places; at++ {
		item := newThing("item on "+at.String(), 0)
		if kept, _ := sh.Put(item, at, 100); !kept {
			t.Fatalf("%s does not keep an item", at)
		}
		sh.Note(&item.Label, 1)
	}
	if want := []string{"tail item on hot", "tail item on tail", "absent item on absent"}; !slices.Equal(touched, want) {
		t.Errorf("touched %q, want %q", touched, want)
	}
}

// An item in the tail is promoted after PromoteAfter requests, and tried again at
// growing intervals.
func TestCountAsksForPromotion(t *testing.T) {
	sh := newShelves(t, 1<<20)
	for at, want := range map[Place][]uint32{Nowhere: nil, Warm: nil, Hot: nil, Tail: {4, 8, 16, 32, 64}, Absent: nil} {
		item := newThing(at.String(), 0)
		if at != Nowhere {
			sh.Put(item, at, 1)
		}
		var got []uint32
		for n := uint32(1); n <= 100; n++ {
			if asked, note := item.Count(); note && sh.Note(&item.Label, asked) {
				got = append(got, n)
			}
		}
		if !slices.Equal(got, want) || item.Asked.Load() != 100 {
			t.Errorf("%q: at the requests %d, want %d", at, got, want)
		}
	}
}

// An item displaces hot items only if it is requested often, and much more often than
// each of them. Displaced items go back to the tail.
func TestDisplacement(t *testing.T) {
	for name, tt := range map[string]struct {
		asked, others uint32
		displaces     bool
	}{
		"much more":              {displaceAfter, displaceAfter / displaceFactor, true},
		"not enough":             {displaceAfter - 1, 1, false},
		"not much more":          {displaceAfter, displaceAfter/displaceFactor + 1, false},
		"more than much":         {10 * displaceAfter, 5 * displaceAfter, true},
		"just not twice as much": {10 * displaceAfter, 5*displaceAfter + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			const cost = 10 << 10
			sh := newShelves(t, 1<<20)
			var hot []*thing
			for sh.HasRoom(Hot, cost) {
				others := tt.others
				if tt.displaces {
					others += 100
				}
				hot = append(hot, newThing(strconv.Itoa(len(hot)), others))
				sh.Put(hot[len(hot)-1], Hot, cost)
			}
			least := hot[len(hot)/2]
			if tt.displaces {
				least.Asked.Store(tt.others)
			}
			item := newThing("list", tt.asked)
			sh.Put(item, Tail, cost)
			if out := sh.Promote(item); len(out) != 0 {
				t.Errorf("%d items had to leave", len(out))
			}
			want := map[bool]Place{true: Hot, false: Tail}
			if item.Place() != want[tt.displaces] || least.Place() != want[!tt.displaces] {
				t.Errorf("it is %s, the least requested %s", item.Place(), least.Place())
			}
			if s := sh.stats(Hot); s.Entries != int64(len(hot)) || s.Evicted != map[bool]int64{true: 1}[tt.displaces] {
				t.Errorf("%d items were hot: %+v", len(hot), s)
			}
			if err := audit(sh); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPlaceDuringAMove: readers never see an item that stays in the cache as nowhere, while it
// moves between shelves or its cost changes.
func TestPlaceDuringAMove(t *testing.T) {
	sh := newShelves(t, 1<<20)
	item := newThing("a", 0)
	sh.Put(item, Warm, 100)
	ctx, stop := context.WithCancel(t.Context())
	var reads, lost int
	var reader sync.WaitGroup
	started := make(chan struct{})
	reader.Go(func() {
		for ; ctx.Err() == nil; reads++ {
			if item.Place() == Nowhere {
				lost++
			}
			if reads == 0 {
				close(started)
			}
		}
	})
	<-started
	for n := range 100_000 {
		at := []Place{Warm, Warm, Hot, Season, Hot}[n%5]
		if kept, out := sh.Put(item, at, int64(100+n%7)); !kept || len(out) > 0 {
			t.Fatalf("%s: kept %t, %d left", at, kept, len(out))
		}
	}
	stop()
	reader.Wait()
	if lost > 0 {
		t.Errorf("%d of %d reads found the item nowhere", lost, reads)
	}
}
