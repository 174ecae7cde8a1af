package slot

import (
	"slices"
	"testing"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/reads"
)

// day is a generation that holds the entries of one day, and counts the questions.
type day struct {
	id    string
	asked *int
}

func (d day) ID() string { return d.id }

func (d day) Holds(e *entry.Entry) bool { *d.asked++; return e.Generation == d.id }

// A reader gets the next version once its state is published, and the served version
// in any other state.
func TestVersions(t *testing.T) {
	s, now, next := New("list"), &State{}, &State{}
	served, prepared := NewVersion(&entry.Entry{Key: "list"}, reads.Moment{}), NewVersion(&entry.Entry{Key: "list"}, reads.Moment{})
	check := func(when string, inNow, inNext *Version, all ...*Version) {
		t.Helper()
		if s.Next() == nil != (when == "empty" || when == "served") || s.Served() != inNow {
			t.Errorf("%s: served %p, next %v", when, s.Served(), s.Next())
		}
		if s.In(now) != inNow || s.In(next) != inNext || !slices.Equal(s.Versions(), all) {
			t.Errorf("%s: %p, %p, %v", when, s.In(now), s.In(next), s.Versions())
		}
	}
	check("empty", nil, nil)
	s.Prepare(prepared, next)
	check("prepared", nil, prepared, prepared)
	s.Serve(served)
	check("both", served, prepared, served, prepared)
	s.Prepare(served, next)
	check("the same", served, served, served)
	s.Prepare(nil, nil)
	check("served", served, served, served)
}

// A version is fresh in a state whose generation holds its entry, unless it was purged
// or is doubtful. The generation is asked once for a version that it holds.
func TestFresh(t *testing.T) {
	asked := 0
	today, tomorrow := &State{day{"1", &asked}}, &State{day{"2", &asked}}
	v := NewVersion(&entry.Entry{Key: "list", Content: entry.Content{Generation: "1"}}, reads.Moment{})
	for range 3 {
		if !today.Fresh(v) {
			t.Error("not fresh in its own generation")
		}
	}
	if asked != 1 {
		t.Errorf("the generation was asked %d times", asked)
	}
	first, second := tomorrow.Fresh(v), tomorrow.Fresh(v)
	if first || second || asked != 3 || (&State{}).Fresh(v) {
		t.Errorf("fresh in another generation, or in none; asked %d times", asked)
	}
	if v.Doubtful = true; today.Fresh(v) {
		t.Error("a doubtful version is fresh")
	}
	v.Doubtful = false
	if v.Purge(); today.Fresh(v) || !v.Purged() {
		t.Error("a purged version is fresh")
	}
}

// A recoded version is as fresh, as doubtful and as old as the version that it replaces.
func TestRecoded(t *testing.T) {
	asked := 0
	today := &State{day{"1", &asked}}
	v := NewVersion(&entry.Entry{Key: "list", Content: entry.Content{Generation: "1"}}, reads.Moment{Order: 7})
	today.Fresh(v)
	better := v.Entry
	better.Variants = []entry.Variant{{Body: make([]byte, 1000)}}
	r := v.Recoded(&better)
	if !today.Fresh(r) || asked != 1 || r.Read != v.Read || r.Purged() || r.Doubtful || r.Cost() != v.Cost()+1000 {
		t.Errorf("%+v, asked %d times", r, asked)
	}
	v.Purge()
	v.Doubtful = true
	if r := v.Recoded(&better); !r.Purged() || !r.Doubtful {
		t.Errorf("%+v", r)
	}
}

// The index finds each slot by its key until it is removed.
func TestIndex(t *testing.T) {
	var i Index
	if i.Get("list") != nil || len(i.All()) != 0 {
		t.Error("not empty at first")
	}
	list, team := New("list"), New("team")
	i.Put(list)
	i.Put(team)
	if i.Get("list") != list || i.Get("team") != team || len(i.All()) != 2 {
		t.Error("a slot is missing")
	}
	if i.Remove(list); i.Get("list") != nil || i.Get("team") != team || !slices.Equal(i.All(), []*Slot{team}) {
		t.Error("the wrong slot is gone")
	}
}

// A count of requests halves.
func TestFade(t *testing.T) {
	s := New("list")
	s.Asked.Store(9)
	if s.Fade(); s.Asked.Load() != 4 {
		t.Errorf("%d", s.Asked.Load())
	}
}
