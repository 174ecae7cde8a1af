//go:build !race

// The race detector makes a sync.Pool drop items at random, and so ristretto loses
// counts of requests.

package shelf

import (
	"runtime"
	"strconv"
	"testing"
	"time"
)

// In the tail, requests decide: a key that was not requested finds no room among items
// that were, a key that was requested more often than others does, and the caller learns
// of the item that leaves for it.
func TestRequestsDecide(t *testing.T) {
	const cost = 10_000
	sh := newShelves(t, 1<<20)
	items := stock(sh, Tail, cost, touchEvery)
	// The policy counts requests in the background, by batches and in their order.
	left := 0
	put := func(name string, kept bool, requests func(key string)) (out []*thing) {
		t.Helper()
		deadline := time.Now().Add(time.Minute)
		for n := 0; time.Now().Before(deadline); n++ {
			key := name + strconv.Itoa(n)
			requests(key)
			got, out := sh.Put(newThing(key, 0), Tail, cost)
			left += len(out)
			if got == kept {
				return out
			}
		}
		t.Fatalf("%s is kept: %t", name, !kept)
		return nil
	}
	put("cold", false, func(string) {
		for range 64 {
			for _, item := range items {
				sh.Note(&item.Label, touchEvery)
			}
		}
	})
	if s := sh.stats(Tail); s.Rejected != 1 || s.Evicted != int64(left) || s.Dropped != 0 {
		t.Errorf("%+v, %d left", s, left)
	}
	out := put("wanted", true, func(key string) {
		for range 100 * 64 {
			sh.all[Tail].policy.Touch(key)
		}
	})
	if len(out) != 1 || out[0].Place() != Nowhere {
		t.Errorf("%d left", len(out))
	}
	if s := sh.stats(Tail); s.Evicted != int64(left) || s.Entries != int64(len(items)) {
		t.Errorf("%+v, %d left", s, left)
	}
	if err := audit(sh); err != nil {
		t.Error(err)
	}
}

// A noted request counts for the place of an item: an item that was requested rarely finds
// no room among items that were requested often, in the tail and among the absent answers.
// Requests for a hot item count in the tail, where it may return to.
func TestNotedRequestsCount(t *testing.T) {
	// The policy counts in the background, in batches of 64, and may lose a batch: each
	// attempt has new shelves, and a rule holds once it has held for some in a row.
	holds := func(rule string, attempt func(sh *Shelves[*thing]) bool) {
		t.Helper()
		deadline := time.Now().Add(time.Minute)
		for inARow := 0; inARow < 5; inARow++ {
			sh := newShelves(t, 1<<20)
			if !attempt(sh) {
				inARow = -1
			}
			sh.Close()
			if time.Now().After(deadline) {
				t.Fatal("does not hold: " + rule)
			}
		}
	}
	note := func(sh *Shelves[*thing], times int, items ...*thing) {
		for range times {
			for _, item := range items {
				sh.Note(&item.Label, touchEvery)
			}
		}
		runtime.Gosched()
	}
	for _, at := range []Place{Tail, Absent} {
		// enters reports whether an item with 8 requests finds room on a full shelf.
		enters := func(sh *Shelves[*thing], noted int) bool {
			cost := sh.Budget(at) / largestShare
			note(sh, noted, stock(sh, at, cost, touchEvery)...)
			for n := range 2 * 64 {
				key := "new"
				if n%16 != 0 {
					key = "other" + strconv.Itoa(n%16)
				}
				sh.all[at].policy.Touch(key)
			}
			runtime.Gosched()
			kept, _ := sh.Put(newThing("new", 0), at, cost)
			return kept
		}
		holds(at.String()+": there is room among items without requests", func(sh *Shelves[*thing]) bool { return enters(sh, 0) })
		holds(at.String()+": there is no room among items with 64 requests", func(sh *Shelves[*thing]) bool { return !enters(sh, 64) })
	}
	holds("a hot item with 64 requests finds room in the tail, among items with 12", func(sh *Shelves[*thing]) bool {
		cost := sh.Budget(Hot) / largestShare
		hot := newThing("hot", touchEvery)
		sh.Put(hot, Hot, cost)
		note(sh, 12, stock(sh, Tail, cost, touchEvery)...)
		note(sh, 64, hot)
		kept, _ := sh.Put(hot, Tail, cost)
		return kept
	})
}
