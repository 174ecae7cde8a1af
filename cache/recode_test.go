package cache

import (
	"bytes"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/lewistv/xcri-proxy/cache/reads"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// recoded returns options whose Recode waits for the gate in *gate, and then adds a
// variant of the given size.
func recoded(gate *chan struct{}, size int) Options {
	return Options{Bytes: 1 << 20, Recode: func(e *Entry) []Variant {
		if e.Key == "as it is" {
			return nil
		}
		<-*gate
		return append(e.Variants[:1:1], Variant{Coding: "br", Body: zeros[:size:size]})
	}}
}

// An entry is served in its first form until it has been recoded; its shelf and its
// request count do not change.
func TestRecode(t *testing.T) {
	for _, place := range []string{"warm", "hot", "tail"} {
		t.Run(place, func(t *testing.T) {
			o := &fakeOrigin{}
			var gate chan struct{}
			bubble(t, o, recoded(&gate, 10), func(t *testing.T, c *Cache) {
				gate = make(chan struct{})
				get(t, c, "as it is", Miss, "1")
				if place == "warm" {
					publish(t, c, o.generation(), "list")
				} else {
					get(t, c, "list", Miss, "2")
				}
				first := get(t, c, "list", Hit, "2")
				if place == "hot" {
					for range promoteAfter {
						get(t, c, "list", Hit, "2")
					}
				}
				close(gate)
				synctest.Wait()
				where(t, c, "list", place)
				e := get(t, c, "list", Hit, "2")
				if len(e.Variants) != 2 || e.Filled != first.Filled || len(first.Variants) != 1 {
					t.Error("not recoded, or the old entry was changed")
				}
				checkShelves(t, c)
				calls(t, o, 2)
			})
		})
	}
}

// The result of a recoding is dropped if the entry has been replaced meanwhile.
func TestRecodeComesTooLate(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	get(t, c, "list", Miss, "1")
	old := c.version("list")
	c.storeEntry(answer("list", 10))
	better := old.Entry
	c.replace(old, &better)
	if e, _, _ := c.lookup("list"); string(e.Variants[0].ETag) != "0" {
		t.Error("an old answer came back in another form")
	}
	c.replace(slot.NewVersion(answer("nowhere", 1), reads.Moment{}), &better)
	checkShelves(t, c)
}

// An entry can be recoded between the preparation of a warm set, which keeps it, and
// the publish.
func TestRecodeDuringPrepare(t *testing.T) {
	o := &fakeOrigin{}
	var gate chan struct{}
	bubble(t, o, recoded(&gate, 10), func(t *testing.T, c *Cache) {
		gate = make(chan struct{})
		publish(t, c, o.generation(), "dated")
		g := o.moveTo("2")
		set := c.Prepare(t.Context(), g, []string{"dated"}, func(Warmed) {})
		close(gate)
		synctest.Wait()
		c.Publish(g, keysOf(set))
		if e := get(t, c, "dated", Hit, "1"); len(e.Variants) != 2 {
			t.Error("the other form was lost")
		}
	})
}

// A recoded entry that does not fit on its shelf is dropped: the entry keeps its first
// form, and no other entry is evicted.
func TestRecodedEntryFindsNoRoom(t *testing.T) {
	for _, place := range []string{"warm", "hot", "tail"} {
		t.Run(place, func(t *testing.T) {
			o := &fakeOrigin{}
			var gate chan struct{}
			bubble(t, o, recoded(&gate, 600<<10), func(t *testing.T, c *Cache) {
				gate = make(chan struct{})
				close(gate)
				switch get(t, c, "list", Miss, "1"); place {
				case "warm":
					publish(t, c, o.generation(), "list")
				case "hot":
					for range promoteAfter {
						get(t, c, "list", Hit, "1")
					}
				}
				synctest.Wait()
				where(t, c, "list", place)
				if e := get(t, c, "list", Hit, "1"); len(e.Variants) != 1 {
					t.Error("recoded beyond the budget")
				}
				for _, s := range c.Stats().Shelves {
					if s.Evicted+s.Rejected+s.TooLarge > 0 {
						t.Errorf("%+v", s)
					}
				}
				checkShelves(t, c)
			})
		})
	}
}

// A prepared version is recoded too, and published in its recoded form.
func TestRecodePreparedVersion(t *testing.T) {
	o := &fakeOrigin{}
	c := newCache(t, o, Options{})
	g := o.generation()
	c.Prepare(t.Context(), g, []string{"list"}, func(Warmed) {})
	v := c.index.Get("list").Next().Version
	if !c.has(v) || c.has(slot.NewVersion(&v.Entry, v.Read)) || c.has(slot.NewVersion(answer("team", 1), reads.Moment{})) {
		t.Error("the cache does not know which versions it has")
	}
	better := v.Entry
	better.Variants = append(better.Variants[:1:1], Variant{Coding: "br", Body: zeros[:1:1]})
	c.replace(v, &better)
	c.Publish(g, []string{"list"})
	if e := get(t, c, "list", Hit, "1"); len(e.Variants) != 2 {
		t.Error("the other form was lost")
	}
	checkShelves(t, c)
}

// A version that left the cache while it waited in the queue is not recoded, and only
// failed recodings are logged.
func TestRecodeOnlyServedEntries(t *testing.T) {
	var log bytes.Buffer
	var gate chan struct{}
	var recodings []string
	opts := recoded(&gate, 10)
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	form := opts.Recode
	opts.Recode = func(e *Entry) []Variant {
		recodings = append(recodings, e.Key)
		if e.Key == "broken" {
			return []Variant{}
		}
		return form(e)
	}
	bubble(t, &fakeOrigin{}, opts, func(t *testing.T, c *Cache) {
		gate = make(chan struct{})
		get(t, c, "first", Miss, "1")
		synctest.Wait()
		get(t, c, "gone", Miss, "2")
		kept := c.version("gone") // otherwise the garbage collector could free it
		c.Purge(func(e *Entry) bool { return e.Key == "gone" }, true)
		close(gate)
		synctest.Wait()
		get(t, c, "as it is", Miss, "3")
		synctest.Wait()
		if !slices.Equal(recodings, []string{"first", "as it is"}) || log.Len() > 0 {
			t.Errorf("recoded %v, logged %q", recodings, log.String())
		}
		get(t, c, "broken", Miss, "4")
		synctest.Wait()
		if !strings.Contains(log.String(), "recoding failed") {
			t.Errorf("logged %q", log.String())
		}
		runtime.KeepAlive(kept)
	})
}

// The recoding queue keeps no entry in memory that has left the cache, and such
// an entry is not recoded.
func TestRecodeQueueHoldsNoEntries(t *testing.T) {
	const entries, size = 200, 64 << 10
	gate := make(chan struct{})
	var recoded atomic.Int32
	o := &fakeOrigin{shape: func(e *Entry) { e.Variants[0].Body = make([]byte, size) }}
	c := newCache(t, o, Options{Bytes: 1 << 20, Recode: func(*Entry) []Variant {
		recoded.Add(1)
		<-gate
		return nil
	}})
	var alive atomic.Int32
	for i := range entries {
		e, _, err := c.lookup(strconv.Itoa(i))
		if err != nil {
			t.Fatal(err)
		}
		alive.Add(1)
		runtime.AddCleanup(e, func(int) { alive.Add(-1) }, 0)
	}
	held := func() (n int32) {
		c.each(func(*slot.Slot, *slot.Version) { n++ })
		return n
	}
	// One more: the entry that is being recoded.
	for range 100 {
		if runtime.GC(); alive.Load() <= held()+1 {
			break
		}
	}
	if alive.Load() > held()+1 || held() > entries/4 {
		t.Errorf("%d entries in memory, %d in the cache", alive.Load(), held())
	}
	close(gate)
	c.Close()
	if n := recoded.Load(); n > held()+1 {
		t.Errorf("%d entries recoded, %d in the cache", n, held())
	}
}
