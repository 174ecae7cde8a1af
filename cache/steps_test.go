package cache

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// A reader between the publish and the end of the moves that follow it gets the version
// of the new generation.
func TestReadersSwitchBeforeTheMoves(t *testing.T) {
	o := &fakeOrigin{}
	c := newCache(t, o, Options{})
	publish(t, c, o.generation(), "list", "leaves")
	g := o.moveTo("2", "leaves")
	c.Prepare(t.Context(), g, []string{"list"}, func(Warmed) {})
	moves := 0
	absent := c.opts.Absent
	c.opts.Absent = func(content *Content) bool { // called when a slot leaves the warm set
		moves++
		if s := c.sight("list"); s.Outcome != Hit || s.Entry.Generation != "2" {
			t.Errorf("%v of generation %s", s.Outcome, s.Entry.Generation)
		}
		return absent(content)
	}
	c.Publish(g, []string{"list"})
	if moves == 0 {
		t.Error("nothing has left the warm set")
	}
	where(t, c, "leaves", "tail")
}

// A fill that reads the next generation, after its preparation has read the key, is
// served from the publish on, although it does not replace the present version.
func TestLaterFillReplacesThePrepared(t *testing.T) {
	o := &fakeOrigin{}
	c := newCache(t, o, Options{})
	publish(t, c, o.generation(), "list")
	g := o.moveTo("2")
	c.Prepare(t.Context(), g, []string{"list"}, func(Warmed) {})
	e := numbered(answer("list", 0), "late")
	e.Generation = "2"
	c.storeEntry(e)
	get(t, c, "list", Hit, "1")
	c.Publish(g, []string{"list"})
	get(t, c, "list", Hit, "late")
	checkShelves(t, c)
}

// A preparation keeps a version that was read after its own read began.
func TestPreparationKeepsALaterVersion(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		g := o.moveTo("2")
		var prepared sync.WaitGroup
		prepared.Go(func() {
			set := c.Prepare(t.Context(), g, []string{"list"}, func(Warmed) {})
			if set[0].Err != nil || string(set[0].Entry.Variants[0].ETag) != "late" {
				t.Errorf("prepared %+v", set[0])
			}
		})
		synctest.Wait()
		e := numbered(answer("list", 0), "late")
		e.Generation = "2"
		c.storeEntry(e)
		close(o.gate)
		prepared.Wait()
		c.Publish(g, []string{"list"})
		get(t, c, "list", Hit, "late")
	})
}

// A warm set is not prepared during an outage, not even with keys that can be filled from
// elsewhere: the other source may have another generation.
func TestNoPreparationInAnOutage(t *testing.T) {
	o := &fakeOrigin{}
	opts := outages
	opts.FillsWhileDown = func(string) bool { return true }
	c := newCache(t, o, opts)
	c.outage.Down(errDown)
	if set := c.Prepare(t.Context(), o.generation(), []string{"list"}, func(Warmed) {}); !errors.Is(set[0].Err, ErrDown) || set[0].Entry != nil {
		t.Errorf("%+v", set[0])
	}
	calls(t, o, 0)
}

// A prepared entry that is not in the published warm set is recoded like any other.
func TestRecodeOfAPreparedEntry(t *testing.T) {
	o := &fakeOrigin{}
	gate := make(chan struct{})
	synctest.Test(t, func(t *testing.T) {
		gate = make(chan struct{})
		close(gate)
		c := newCache(t, o, recoded(&gate, 10))
		g := o.moveTo("2")
		c.Prepare(t.Context(), g, []string{"list", "team"}, func(Warmed) {})
		c.Publish(g, []string{"list"})
		synctest.Wait()
		for key, place := range map[string]string{"list": "warm", "team": "tail"} {
			where(t, c, key, place)
			if e := c.sight(key).Entry; len(e.Variants) != 2 {
				t.Errorf("%s is not recoded", key)
			}
		}
	})
}

// Entries of a saved warm set that find no room in the warm set's share go on other
// shelves, and every budget holds.
func TestAdoptLargeWarmSet(t *testing.T) {
	c := newCache(t, &fakeOrigin{early: true}, Options{Bytes: 1 << 20})
	var all []Saved
	for n := range 70 {
		all = append(all, saved(answer(key("list", n), 10<<10), true, false))
	}
	c.Adopt(all)
	where(t, c, "list?0", "warm")
	if at := c.sight("list?69").Where; at == "warm" {
		t.Errorf("the last is %s", at)
	}
	checkShelves(t, c)
}

// A lookup of a key that is not cached is a miss, and begins nothing.
func TestLookupOfNothing(t *testing.T) {
	o := &fakeOrigin{}
	c := newCache(t, o, Options{})
	if e, outcome := c.Lookup(&Ref{Key: "list"}); e != nil || outcome != Miss {
		t.Errorf("%v, %v", e, outcome)
	}
	calls(t, o, 0)
}
