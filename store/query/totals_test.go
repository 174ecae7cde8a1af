package query

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/scope"
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
		if _, ok := totals.get(key(n - 1)); !ok && n%maxTotals != 0 {
			t.Fatalf("%d is forgotten too early", n-1)
		}
		if len(totals.pages) > maxTotals {
			t.Fatalf("%d totals", len(totals.pages))
		}
	}
	if _, ok := totals.get(key(2*maxTotals - 1)); ok {
		t.Error("the oldest total is still there")
	}
}

// TestSee: a stamp is first seen when it replaces another stamp of its table, and tables
// are as old as the last of them to change.
func TestSee(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	stamps := func(athletes, teams string) map[string]scope.Stamp {
		return map[string]scope.Stamp{"athletes": {Updated: athletes}, "teams": {Updated: teams}}
	}
	var totals Totals
	for i, tt := range []struct {
		stamps    map[string]scope.Stamp
		now, want int64
	}{
		{stamps("a", "a"), 1, 1},
		{stamps("a", "a"), 2, 1},
		{stamps("a", "b"), 3, 3},
		{map[string]scope.Stamp{"athletes": {Updated: "a", Recent: true}}, 4, 1},
		{stamps("b", "b"), 5, 5},
		{stamps("a", "b"), 6, 6},
		{map[string]scope.Stamp{"teams": {Updated: "b"}}, 7, 3},
	} {
		if got := totals.See(tt.stamps, at(tt.now)); !got.Equal(at(tt.want)) {
			t.Errorf("%d: first seen at %d, want %d", i, got.Unix(), tt.want)
		}
	}
	var none *Totals
	if got := none.See(stamps("a", "a"), at(8)); !got.Equal(at(8)) {
		t.Errorf("without Totals: %v", got)
	}
}
