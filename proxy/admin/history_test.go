package admin

import (
	"testing"
	"time"
)

func TestHistoryIsBounded(t *testing.T) {
	a := newFixture(t)
	at := time.UnixMilli(1700000000000)
	for range samplesKept + 50 {
		a.Sample(at)
		at = at.Add(sampleEvery)
	}
	got := a.History(0)
	if len(got) != samplesKept || got[len(got)-1].At != at.Add(-sampleEvery).UnixMilli() {
		t.Fatalf("%d samples", len(got))
	}
	for i := 1; i < len(got); i++ {
		if got[i].At-got[i-1].At != sampleEvery.Milliseconds() {
			t.Fatalf("%d after %d", got[i].At, got[i-1].At)
		}
	}
}
