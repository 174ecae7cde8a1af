package generation

import (
	"slices"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/store"
)

// viewAge is the longest time for which the tables of a poll are compared with other
// members' tables. No poll for a longer time means that the database does not answer.
const viewAge = 30 * time.Second

// view is the state of all tables after a poll. It is immutable.
type view struct {
	at     time.Time // start of the poll
	tables map[string]seen
}

// seen is the state of one table after a poll.
type seen struct {
	stamp   store.Stamp
	changed time.Time // when a poll last saw the stamp change; zero if every change is accounted for
}

// viewAt returns the state of all tables after a poll that began at a time.
func (x *witness) viewAt(begun time.Time) *view {
	v := &view{begun, make(map[string]seen, len(x.tables))}
	for name, t := range x.tables {
		one := seen{stamp: t.seen}
		if !t.since.IsZero() {
			one.changed = t.changed
		}
		v.tables[name] = one
	}
	return v
}

// Data is the state of the tables that an answer is read from, as the last poll found it.
type Data struct {
	// Stamps are the server's stamps of the tables as a text. It is empty if the last poll
	// is too old, or if neither the server nor a calculation reports changes. Equal texts of
	// two members mean that the server has recorded no change between their polls.
	Stamps string
	// Sure reports that any later change has other stamps.
	Sure bool
	// Settled reports that every change is accounted for: entries that it concerns are stale.
	Settled bool
	// MaxAge limits the use of an answer whose changes the server does not record; zero
	// means no limit.
	MaxAge time.Duration
}

// Data returns the state of tables. A read that begins afterwards reads this state or a
// later state.
func (w *Watcher) Data(tables []string) (d Data) {
	v, now := w.view.Load(), w.opts.Now()
	if v == nil || now.Sub(v.at) > max(viewAge, 3*w.opts.Interval) {
		return Data{}
	}
	d.Sure, d.Settled = true, true
	var text strings.Builder
	for _, name := range slices.Sorted(slices.Values(tables)) {
		t := v.tables[name]
		text.WriteString(name + "\x00" + t.stamp.Created + "\x00" + t.stamp.Updated + "\x00")
		if t.stamp.Empty {
			text.WriteString("empty")
		}
		if !t.changed.IsZero() {
			d.Settled = false
			d.Sure = d.Sure && now.Sub(t.changed) >= w.witness.resolution
		}
		if !t.stamp.Known() {
			if slices.Contains(store.UncoveredTables(), name) {
				return Data{}
			}
			d.MaxAge = w.opts.Changes.MaxAge
		}
	}
	d.Stamps = text.String()
	return d
}
