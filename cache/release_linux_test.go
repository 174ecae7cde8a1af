package cache

import (
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// inFiles returns options whose Recode moves each body to a memory file.
func inFiles(m *memfile.Memory) Options {
	return Options{Bytes: 1 << 20, Recode: func(e *Entry) []Variant {
		if e.Variants[0].File != nil {
			return nil
		}
		file, err := m.New(e.Variants[0].Body)
		if err != nil {
			panic(err)
		}
		return []Variant{{ETag: e.Variants[0].ETag, File: file}}
	}}
}

// Only cached entries and requests that hold an answer keep memory files open, through
// every event: publish, drop, replacement, promotion, eviction, purge. Closing does not
// depend on the garbage collector.
func TestOnlyEntriesKeepFiles(t *testing.T) {
	m := &memfile.Memory{}
	o := &fakeOrigin{shape: func(e *Entry) { e.Variants[0].Body = make([]byte, 1+rand.IntN(20<<10)) }}
	bubble(t, o, inFiles(m), func(t *testing.T, c *Cache) {
		check := func() {
			t.Helper()
			synctest.Wait()
			files := map[*memfile.File]bool{}
			var bytes int64
			c.each(func(_ *slot.Slot, v *slot.Version) {
				if f := v.Variants[0].File; f != nil && !files[f] {
					files[f] = true
					bytes += f.Cost()
					if v.Cost() < f.Cost() {
						t.Errorf("%s: the entry's cost is %d, its file's %d", v.Key, v.Cost(), f.Cost())
					}
				}
			})
			if int64(len(files)) != m.Files() || bytes != m.Bytes() {
				t.Fatalf("%d files of %d bytes, the cache has %d of %d bytes", m.Files(), m.Bytes(), len(files), bytes)
			}
			checkShelves(t, c)
		}
		for g := range 8 {
			var keys []string
			for i := range 30 + g { // with a few that the warm set has no room for
				keys = append(keys, fmt.Sprint("warm ", i*(g%3)))
			}
			publish(t, c, o.moveTo(fmt.Sprint(g)), keys...)
			check()
			for range 400 {
				if _, _, err := c.lookup(fmt.Sprint("page ", int(rand.ExpFloat64()*30))); err != nil {
					t.Fatal(err)
				}
			}
			check()
			c.Purge(func(e *Entry) bool { return rand.IntN(4) == 0 }, g%2 == 0)
			check()
			// A preparation keeps some versions, and is dropped or given up.
			c.Prepare(t.Context(), o.generation(), keys, func(Warmed) {})
			synctest.Wait()
			c.Purge(func(e *Entry) bool { return rand.IntN(4) == 0 }, true)
			c.Publish(o.moveTo(fmt.Sprint(g, " again"), "warm"), nil)
			check()
		}
		c.Purge(func(*Entry) bool { return true }, true)
		c.lookup("held")
		synctest.Wait()
		e, _, _ := c.lookup("held")
		if e.Variants[0].File == nil || !e.Variants[0].Hold() {
			t.Fatal("not held")
		}
		c.Purge(func(*Entry) bool { return true }, true)
		synctest.Wait()
		if m.Files() != 1 {
			t.Errorf("%d files after all but the held entry were purged", m.Files())
		}
		if e.Variants[0].Release(); m.Files() != 0 || m.Bytes() != 0 {
			t.Errorf("%d files of %d bytes are left", m.Files(), m.Bytes())
		}
	})
}

// A request whose entry's body is gone gets another entry when it repeats the lookup.
func TestHoldWhileEvicted(t *testing.T) {
	m := &memfile.Memory{}
	o := &fakeOrigin{shape: func(e *Entry) { e.Variants[0].Body = make([]byte, 30<<10) }}
	c := newCache(t, o, inFiles(m))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 2000 {
				key := fmt.Sprint(int(rand.ExpFloat64() * 20))
				for tries := 0; ; tries++ {
					e, _, err := c.lookup(key)
					if err != nil || tries == 1000 {
						t.Errorf("%s: %d tries, %v", key, tries, err)
						return
					}
					if v := &e.Variants[0]; v.Hold() {
						if v.Len() != 30<<10 {
							t.Errorf("%d bytes", v.Len())
						}
						v.Release()
						break
					}
				}
			}
		})
	}
	all.Wait()
	c.Close()
	c.Purge(func(*Entry) bool { return true }, true)
	if m.Files() != 0 {
		t.Errorf("%d files are left", m.Files())
	}
}

// A body is read from its memory file, and hold fails for an entry without one of its
// bodies.
func TestHoldAllOrNone(t *testing.T) {
	m := &memfile.Memory{}
	first, err := m.New([]byte("in a file"))
	if err != nil {
		t.Fatal(err)
	}
	gone, err := m.New([]byte("gone"))
	if err != nil {
		t.Fatal(err)
	}
	for text, v := range map[string]*Variant{"in a file": {File: first}, "on the heap": {Body: []byte("on the heap")}} {
		got, err := io.ReadAll(v.Reader())
		if err != nil || string(got) != text || v.Len() != len(text) || !v.HasBody() {
			t.Errorf("%q, %d bytes, %v, want %q", got, v.Len(), err, text)
		}
	}
	gone.Release()
	c := Content{Variants: []Variant{{File: first}, {File: gone}}}
	if c.Hold() {
		t.Error("held, although one body is gone")
	}
	if first.Release(); m.Files() != 0 {
		t.Errorf("%d files are held still", m.Files())
	}
}

// An exported entry keeps its files until it is released.
func TestExportedFiles(t *testing.T) {
	m := &memfile.Memory{}
	o := &fakeOrigin{size: 1 << 10}
	bubble(t, o, inFiles(m), func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "list")
		synctest.Wait()
		exported := c.Export()
		c.Purge(everything, true)
		if len(exported) != 1 || m.Files() != 1 {
			t.Fatalf("%d entries, %d files", len(exported), m.Files())
		}
		if exported[0].Release(); m.Files() != 0 {
			t.Errorf("%d files after the release", m.Files())
		}
	})
}
