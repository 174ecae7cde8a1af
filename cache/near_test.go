package cache

import "testing"

// isNear reports whether the slot of a key is found without its shelf.
func isNear(c *Cache, key string) bool {
	s := c.near.place(key).Load()
	return s != nil && s.entry.Key == key && !s.gone.Load()
}

// TestNear: what is asked for is near while it is on a shelf, and no longer.
func TestNear(t *testing.T) {
	o := &fakeOrigin{size: 1 << 10}
	c := newCache(t, o, Options{Bytes: 1 << 20})
	first, second := key("dated", 1), key("list", 2)
	for _, k := range []string{first, second} {
		for range promoteAfter + 2 { // the first is a miss, and one moves it to the hot shelf
			if _, _, err := c.Get(k); err != nil {
				t.Fatal(err)
			}
		}
		if where(t, c, k, "hot"); !isNear(c, k) {
			t.Errorf("%s is not near", k)
		}
	}
	publish(t, c, o.generation(), first) // to the warm set
	if where(t, c, first, "warm"); isNear(c, first) {
		t.Error("what is warm is still near")
	}
	c.Purge(func(e *Entry) bool { return e.Key == second }, true)
	if isNear(c, second) {
		t.Error("what was dropped is still near")
	}
	get(t, c, second, Miss, "3")
	get(t, c, second, Hit, "3")
	for i := range c.near.places {
		if s := c.near.places[i].Load(); s != nil && (s.gone.Load() || s.shelf.get(s.entry.Key) != s) {
			t.Errorf("%s is near and on no shelf", s.entry.Key)
		}
	}
}

// TestNearIsCounted: ristretto hears of a share of the requests for what is near.
func TestNearIsCounted(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	k := key("dated", 1)
	for range 10 {
		c.Get(k)
	}
	passed := 0
	for range 100 * nearTimes {
		if c.near.get(k) == nil {
			passed++
		}
		c.Get(k)
	}
	if passed != 100 {
		t.Errorf("%d of %d requests came by the shelf", passed, 100*nearTimes)
	}
}
