//go:build !race

// The race detector makes a sync.Pool drop items at random, and so ristretto loses
// counts of requests.

package shelf

import (
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
