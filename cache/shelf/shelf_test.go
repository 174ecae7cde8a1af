package shelf

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
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
				sh.Touch("unknown")
			}
		})
		left := func(out ...*thing) {
			for _, item := range out {
				delete(at, item)
			}
		}
		for range 400 {
			item, cost := things[random.IntN(len(things))], int64(1+random.IntN(12_000))
			switch action := random.IntN(8); action {
			case 0:
				sh.Remove(item)
				left(item)
			case 1:
				out := sh.Promote(item)
				left(out...)
				for _, item := range things { // whether it had to leave for others or not
					if _, there := at[item]; there {
						at[item] = item.Place()
					}
				}
			case 2:
				left(sh.Share(random.Int64N(90_000))...)
				left(sh.Share(sh.Bytes(Warm))...)
				for item := range at {
					at[item] = item.Place()
				}
			default:
				to := Place(action - 2) // warm to absent
				to = min(to, Absent)
				if at[item] == to && !sh.Fits(item, cost) || at[item] != to && to <= Hot && !sh.HasRoom(to, cost) {
					continue
				}
				kept, out := sh.Put(item, to, cost)
				left(out...)
				if at[item] = to; !kept {
					left(item)
				}
				left(sh.Share(sh.Bytes(Warm))...)
				for item := range at {
					at[item] = item.Place()
				}
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

func TestNew(t *testing.T) {
	for _, bytes := range []int64{0, 1, 19} {
		if _, err := New[*thing](bytes); err == nil {
			t.Errorf("no error with %d bytes, too few for the shelves", bytes)
		}
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
		if want := n < touchEvery || n%touchEvery == 0; heard(n) != want {
			t.Errorf("request %d is heard of: %t", n, !want)
		}
	}
	for at, want := range [places]Place{Nowhere: Nowhere, Warm: Nowhere, Hot: Tail, Tail: Tail, Absent: Absent} {
		if got := hearsOf(Place(at)); got != want {
			t.Errorf("of requests on shelf %d hears shelf %d, want %d", at, got, want)
		}
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
