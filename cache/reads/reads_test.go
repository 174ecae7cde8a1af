package reads

import (
	"testing"

	"github.com/lewistv/xcri-proxy/cache/entry"
)

func matches(key string) func(*entry.Entry) bool {
	return func(e *entry.Entry) bool { return e.Key == key }
}

// A purge applies to the reads that began before it, whose entries match, and to no
// other. It is remembered until the last of them has ended.
func TestPurgeAppliesToReadsUnderWay(t *testing.T) {
	var r Reads
	if r.Purge(matches("list"), true); len(r.recent) != 0 { // no read is under way
		t.Error("a purge is remembered for no read")
	}
	before, other := r.Begin(), r.Begin()
	r.Purge(matches("list"), false)
	between := r.Begin()
	r.Purge(matches("list"), true)
	after := r.Begin()
	for _, tt := range []struct {
		name       string
		read       Moment
		key        string
		hard, soft bool
	}{
		{"before both", before, "list", true, true},
		{"another key", before, "team", false, false},
		{"between them", between, "list", true, false},
		{"after both", after, "list", false, false},
	} {
		if hard, soft := r.Purged(tt.read, &entry.Entry{Key: tt.key}); hard != tt.hard || soft != tt.soft {
			t.Errorf("%s: hard %t, soft %t", tt.name, hard, soft)
		}
	}
	for _, ended := range []struct {
		read       Moment
		remembered int
	}{{before, 2}, {other, 1}, {after, 1}, {between, 0}} {
		if r.End(ended.read); len(r.recent) != ended.remembered {
			t.Errorf("after the end of read %d: %d purges", ended.read.Order, len(r.recent))
		}
	}
	if r.Purges() != 3 || len(r.underway) != 0 {
		t.Errorf("%d purges, %d reads", r.Purges(), len(r.underway))
	}
}

// A read in a round counts as begun with the round, and its purges are remembered until both
// have ended. Outside a round it is like any other.
func TestRound(t *testing.T) {
	var r Reads
	list := &entry.Entry{Key: "list"}
	purged := func(m Moment) bool { _, soft := r.Purged(m, list); return soft }
	r.BeginRound()
	r.Purge(matches("list"), false)
	first, other := r.BeginInRound(), r.Begin()
	r.End(first)
	second := r.BeginInRound()
	if !purged(first) || !purged(second) || purged(other) || first.Order != second.Order || first.Order >= other.Order {
		t.Errorf("%+v, %+v, %+v", first, second, other)
	}
	r.End(other)
	if r.EndRound(); len(r.recent) != 1 || !purged(second) {
		t.Error("the purge is forgotten before the last read of the round ends")
	}
	if r.End(second); len(r.recent) != 0 || len(r.underway) != 0 {
		t.Errorf("%d purges, %d reads", len(r.recent), len(r.underway))
	}
	r.Purge(matches("list"), false)
	if m := r.BeginInRound(); purged(m) || m.Order <= other.Order {
		t.Errorf("outside a round: %+v", m)
	}
}

// A hard purge is not undone by a soft purge after it.
func TestSoftAfterHard(t *testing.T) {
	var r Reads
	m := r.Begin()
	r.Purge(matches("list"), true)
	r.Purge(matches("list"), false)
	if hard, soft := r.Purged(m, &entry.Entry{Key: "list"}); !hard || !soft {
		t.Errorf("hard %t, soft %t", hard, soft)
	}
}

// Reads are numbered in the order of their beginnings, from one.
func TestOrder(t *testing.T) {
	var r Reads
	for want := int64(1); want < 4; want++ {
		if m := r.Begin(); m.Order != want {
			t.Errorf("read %d is number %d", want, m.Order)
		}
	}
}

// A hard purge is never forgotten, a soft one leaves no mark.
func TestDropped(t *testing.T) {
	var r Reads
	if r.Purge(matches("list"), false); r.Dropped() {
		t.Error("after a soft purge")
	}
	if r.Purge(matches("list"), true); !r.Dropped() {
		t.Error("not after a hard purge")
	}
	if r.Purge(matches("list"), false); !r.Dropped() {
		t.Error("forgotten")
	}
}
