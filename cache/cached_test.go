package cache

import "testing"

// TestCached: it tells what Get would, and fills nothing.
func TestCached(t *testing.T) {
	o := &fakeOrigin{}
	c := newCache(t, o, Options{})
	if e, _, ok := c.Cached("k"); ok || e != nil {
		t.Error("there is an entry before the first fill")
	}
	calls(t, o, 0)
	get(t, c, "k", Miss, "1")
	for _, want := range []Outcome{Hit, Stale} {
		if e, outcome, ok := c.Cached("k"); !ok || outcome != want || string(e.Variants[0].ETag) != "1" {
			t.Errorf("%v, %v, want %v", outcome, ok, want)
		}
		c.Purge(func(*Entry) bool { return true }, false)
	}
	c.outage.Down(errDown)
	if _, outcome, ok := c.Cached("k"); !ok || outcome != StaleError {
		t.Errorf("down: %v, %v", outcome, ok)
	}
	c.Close()
	calls(t, o, 1)
}
