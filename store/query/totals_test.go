package query

import (
	"crypto/sha256"
	"fmt"
	"testing"
)

// TestKeysOfTotals: each statement has a key of its own, with any arguments.
func TestKeysOfTotals(t *testing.T) {
	seen := map[[sha256.Size]byte]string{}
	for _, args := range [][]any{
		nil, {""}, {"", ""}, {"a", "b"}, {"a b"}, {`a" "b`}, {"1"}, {int64(1)}, {int64(97)}, {"a"},
		{int64(1 << 30)}, {int64(1<<30 + 1)}, {int64(-1)}, {int64(0xd800)}, {int64(0xd801)}, {nil}, {"<nil>"},
	} {
		name := fmt.Sprintf("%#v", args)
		key := keyOf("g", "s", "q", args)
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s have the same key", name, other)
		}
		seen[key] = name
	}
	if keyOf("a", "b", "c", nil) == keyOf("a", "b c", "", nil) || keyOf("a", "b", "c", nil) == keyOf("ab", "", "c", nil) {
		t.Error("two statements have the same key")
	}
}

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
