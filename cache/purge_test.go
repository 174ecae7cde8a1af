package cache

import (
	"strings"
	"testing"
	"testing/synctest"
)

// filled puts a key on each shelf of a cache (warm, hot, tail, absent), and returns
// the shelf of each key.
func filled(t *testing.T, c *Cache, o *fakeOrigin) map[string]string {
	t.Helper()
	o.shape = func(e *Entry) {
		if e.Scope == "absent" {
			e.Status = 404
		}
	}
	publish(t, c, o.generation(), "warm?0")
	ask(t, c, "hot", 1, always(promoteAfter+1))
	ask(t, c, "tail", 1, always(1))
	ask(t, c, "absent", 1, always(1))
	parts := map[string]string{"warm?0": "warm", "hot?0": "hot", "tail?0": "tail", "absent?0": "absent"}
	for key, part := range parts {
		where(t, c, key, part)
	}
	return parts
}

func TestPurge(t *testing.T) {
	tests := map[string]struct {
		match func(*Entry) bool
		want  string
	}{
		"all":    {func(*Entry) bool { return true }, "warm?0 hot?0 tail?0 absent?0"},
		"none":   {func(*Entry) bool { return false }, ""},
		"route":  {func(e *Entry) bool { return strings.HasPrefix(e.Key, "hot?") }, "hot?0"},
		"scope":  {func(e *Entry) bool { return e.Scope == "warm" }, "warm?0"},
		"status": {func(e *Entry) bool { return e.Status == 404 }, "absent?0"},
	}
	for name, tt := range tests {
		for _, hard := range []bool{false, true} {
			t.Run(name+map[bool]string{false: " soft", true: " hard"}[hard], func(t *testing.T) {
				o := &fakeOrigin{}
				bubble(t, o, times, func(t *testing.T, c *Cache) {
					parts := filled(t, c, o)
					want := len(strings.Fields(tt.want))
					if n := c.Purge(tt.match, hard); n != want {
						t.Errorf("%d purged, want %d", n, want)
					}
					checkShelves(t, c)
					fills := o.calls.Load()
					for key, part := range parts {
						first := Hit
						switch purged := strings.Contains(tt.want, key); {
						case purged && hard:
							first = Miss
							where(t, c, key, "")
						case purged:
							first = Stale
						}
						for _, want := range []Outcome{first, Hit} {
							if e, outcome, _ := c.lookup(key); outcome != want {
								t.Errorf("%s: %s of %s, want %s", key, outcome, e.Key, want)
							}
							synctest.Wait()
						}
						if !hard {
							where(t, c, key, part)
						}
					}
					calls(t, o, fills+int64(want))
					checkShelves(t, c)
				})
			})
		}
	}
}

// A purged entry stays purged when it is moved or recoded.
func TestPurgedEntryStaysPurged(t *testing.T) {
	all := func(*Entry) bool { return true }
	tests := map[string]func(*testing.T, *Cache, *fakeOrigin){
		"published again": func(t *testing.T, c *Cache, o *fakeOrigin) {
			set := c.Prepare(t.Context(), o.generation(), []string{"list"}, func(Warmed) {})
			c.Purge(all, false)
			c.Publish(o.generation(), keysOf(set))
		},
		"not warmed": func(t *testing.T, c *Cache, o *fakeOrigin) {
			c.Purge(all, false)
			o.script = []error{errFails}
			c.Publish(o.generation(), keysOf(c.Prepare(t.Context(), o.generation(), []string{"list"}, func(Warmed) {})))
		},
		"no longer warm": func(_ *testing.T, c *Cache, o *fakeOrigin) {
			c.Purge(all, false)
			c.Publish(o.generation(), nil)
		},
		"recoded": func(_ *testing.T, c *Cache, _ *fakeOrigin) {
			v := c.version("list")
			better := v.Entry
			c.Purge(all, false)
			c.replace(v, &better)
		},
		"promoted": func(_ *testing.T, c *Cache, o *fakeOrigin) {
			c.Publish(o.generation(), nil)
			c.Purge(all, false)
			c.promote(c.index.Get("list"))
		},
	}
	for name, move := range tests {
		t.Run(name, func(t *testing.T) {
			o := &fakeOrigin{}
			bubble(t, o, times, func(t *testing.T, c *Cache) {
				publish(t, c, o.generation(), "list")
				move(t, c, o)
				fills := o.calls.Load()
				get(t, c, "list", Stale, "1")
				synctest.Wait()
				if _, outcome, _ := c.lookup("list"); outcome != Hit {
					t.Errorf("%s after its refresh", outcome)
				}
				calls(t, o, fills+1)
			})
		})
	}
}

func TestPeek(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		parts := filled(t, c, o)
		asked := map[string]uint32{"warm?0": 0, "hot?0": promoteAfter, "tail?0": 0, "absent?0": 0}
		check := func(when string, found, missing Outcome) {
			t.Helper()
			fills := o.calls.Load()
			for range 2 * promoteAfter {
				for key, part := range parts {
					s := c.sight(key)
					if s.Entry == nil || s.Entry.Key != key || s.Where != part || s.Outcome != found || s.Asked != asked[key] {
						t.Errorf("%s: %s: %+v", when, key, s)
					}
				}
				if s := c.sight("missing"); s != (Sight{Outcome: missing}) {
					t.Errorf("%s: missing: %+v", when, s)
				}
			}
			synctest.Wait()
			calls(t, o, fills)
		}
		request := func() {
			for key := range parts {
				c.lookup(key)
				asked[key]++
			}
			synctest.Wait()
		}
		check("filled", Hit, Miss)
		request()
		check("asked for", Hit, Miss)
		c.outage.Down(errDown)
		check("down", StaleError, Error)
		c.outage.Up()
		c.Purge(func(*Entry) bool { return true }, false)
		check("purged", Stale, Miss)
		o.script = []error{errFails, errFails, errFails, errFails}
		request()
		check("failing", StaleError, Miss)
	})
}

// A fill that began before a purge is stored as stale, and a reader after the purge
// does not join it.
func TestPurgeDuringAFill(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		c.Publish(fakeGeneration{id: "any"}, nil)
		answered := make(chan Outcome, 2)
		ask := func() {
			_, outcome, err := c.lookup("list")
			if err != nil {
				t.Error(err)
			}
			answered <- outcome
		}
		go ask()
		synctest.Wait()
		c.Purge(func(*Entry) bool { return true }, false)
		go ask()
		synctest.Wait()
		calls(t, o, 2)
		o.gate <- struct{}{}
		o.gate <- struct{}{}
		if a, b := <-answered, <-answered; a != Miss || b != Miss {
			t.Errorf("%v, %v", a, b)
		}
	})
}

// A panic in a recoding only loses the other variant.
func TestPanicInARecoding(t *testing.T) {
	opts := times
	opts.Recode = func(*Entry) []Variant { panic("in a recoding") }
	bubble(t, &fakeOrigin{}, opts, func(t *testing.T, c *Cache) {
		if _, _, err := c.lookup("list"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if s := c.Stats(); s.Panics != 1 {
			t.Errorf("%d panics", s.Panics)
		}
	})
}
