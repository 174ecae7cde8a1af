package query

import (
	"crypto/sha256"
	"fmt"
	"testing"
)

// TestTotalsAreBounded: a full cache of totals is cleared.
func TestTotalsAreBounded(t *testing.T) {
	var totals Totals
	key := func(n int) [sha256.Size]byte { return sha256.Sum256(fmt.Append(nil, n)) }
	for n := range 3 * maxTotals {
		totals.put(key(n), int64(n))
		if got, ok := totals.get(key(n)); !ok || got != int64(n) {
			t.Fatalf("%d is remembered as %d, %v", n, got, ok)
		}
		if len(totals.pages) > maxTotals {
			t.Fatalf("%d totals", len(totals.pages))
		}
	}
	if _, ok := totals.get(key(2*maxTotals - 1)); ok {
		t.Error("the oldest total is still there")
	}
}
