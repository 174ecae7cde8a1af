package readapi

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// TestTotalsAreBounded: a full memory of totals starts anew.
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

func TestZeroAsNull(t *testing.T) {
	for score, want := range map[string]string{"0.0": "null", "-0.0": "null", "0.5": "0.5", "10.0": "10.0", "": "null", "5e-05": "5e-05"} {
		if got := string(jsontext.Append(nil, zeroAsNull(jsontext.Raw(score)))); got != want {
			t.Errorf("%s: got %s, want %s", score, got, want)
		}
	}
}
