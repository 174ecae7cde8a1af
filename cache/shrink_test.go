package cache

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// shrinker makes variants of a given size in pieces, and records the order of the keys.
type shrinker struct {
	idle   atomic.Bool
	size   int
	pieces int
	worked atomic.Int64 // pieces

	mu    sync.Mutex
	order []string
}

func (s *shrinker) note(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order = append(s.order, key)
}

// tried returns the keys in the order of the work.
func (s *shrinker) tried() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

func (s *shrinker) options() Options {
	return Options{Shrink: Shrink{
		Idle: s.idle.Load,
		Can:  func(e *Entry) bool { return e.Scope == "list" && len(e.Variants) == 1 },
		Make: func(e *Entry, next func() bool) []Variant {
			s.note(e.Key)
			for range s.pieces {
				if !next() {
					return nil
				}
				s.worked.Add(1)
			}
			return append(e.Variants[:1:1], Variant{Coding: "br", Body: zeros[:s.size:s.size]})
		},
	}}
}

// Entries get their smallest form in idle time, the most requested first, and only the
// entries that can have a smaller form.
func TestShrinkInIdleTime(t *testing.T) {
	s := &shrinker{size: 5, pieces: 1}
	bubble(t, &fakeOrigin{}, s.options(), func(t *testing.T, c *Cache) {
		for n, k := range []string{"list?1", "list?2", "list?3", "team"} {
			for range []int{2, 4, 3, 5}[n] {
				c.lookup(k)
			}
		}
		time.Sleep(time.Hour)
		if len(s.tried()) != 0 {
			t.Fatalf("%q while the processor is busy", s.tried())
		}
		s.idle.Store(true)
		time.Sleep(time.Hour)
		if got := s.tried(); len(got) != 3 || got[0] != "list?2" || got[1] != "list?3" || got[2] != "list?1" {
			t.Errorf("%q", got)
		}
		for k, want := range map[string]int{"list?1": 2, "list?2": 2, "list?3": 2, "team": 1} {
			if e := c.sight(k).Entry; len(e.Variants) != want {
				t.Errorf("%s has %d variants, want %d", k, len(e.Variants), want)
			}
		}
		checkShelves(t, c)
	})
}

// The work waits between its pieces while the processor is busy, and ends when the
// cache no longer serves the entry.
func TestShrinkPausesAndStops(t *testing.T) {
	s := &shrinker{size: 5, pieces: 3}
	opts := s.options()
	can := opts.Shrink.Can
	opts.Shrink.Can = func(e *Entry) bool { s.idle.Store(false); return can(e) }
	bubble(t, &fakeOrigin{}, opts, func(t *testing.T, c *Cache) {
		pieces := func(want int64) {
			t.Helper()
			time.Sleep(time.Minute)
			if got := s.worked.Load(); got != want {
				t.Errorf("%d pieces, want %d", got, want)
			}
		}
		c.lookup("list")
		s.idle.Store(true)
		pieces(0) // busy from the choice of the entry on
		if len(s.tried()) != 1 {
			t.Fatalf("%q", s.tried())
		}
		c.storeEntry(numbered(answer("list", 10), "new"))
		pieces(0)
		if e := c.sight("list").Entry; string(e.Variants[0].ETag) != "new" || len(e.Variants) != 1 {
			t.Error("an old entry came back")
		}
		s.idle.Store(true)
		pieces(0)
		s.idle.Store(true)
		pieces(3)
		if len(c.sight("list").Entry.Variants) != 2 {
			t.Error("not made smaller")
		}
	})
}

// An entry whose smaller form can't be made, or does not fit, is tried once.
func TestShrinkIsTriedOnce(t *testing.T) {
	for name, change := range map[string]func(*shrinker, *Options){
		"no smaller form": func(s *shrinker, o *Options) {
			o.Shrink.Make = func(e *Entry, _ func() bool) []Variant { s.note(e.Key); return nil }
		},
		"no room": func(s *shrinker, o *Options) { o.Bytes, s.size = 1<<20, 600<<10 },
		"a panic": func(s *shrinker, o *Options) {
			o.Shrink.Make = func(e *Entry, _ func() bool) []Variant { s.note(e.Key); panic("no form") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shrinker{size: 5}
			s.idle.Store(true)
			opts := s.options()
			change(s, &opts)
			bubble(t, &fakeOrigin{}, opts, func(t *testing.T, c *Cache) {
				c.lookup("list")
				time.Sleep(time.Hour)
				if len(s.tried()) != 1 {
					t.Errorf("tried %d times", len(s.tried()))
				}
				get(t, c, "list", Hit, "1")
				checkShelves(t, c)
			})
		})
	}
}

// Close ends the work.
func TestCloseEndsShrinking(t *testing.T) {
	s := &shrinker{pieces: 1}
	opts := s.options()
	opts.Shrink.Can = func(*Entry) bool { s.idle.Store(false); return true }
	bubble(t, &fakeOrigin{}, opts, func(t *testing.T, c *Cache) {
		c.lookup("list")
		s.idle.Store(true)
		time.Sleep(time.Minute)
		c.Close()
		synctest.Wait()
		if s.worked.Load() != 0 || len(s.tried()) != 1 {
			t.Errorf("%d pieces of %q", s.worked.Load(), s.tried())
		}
	})
}
