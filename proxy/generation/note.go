package generation

import (
	"time"

	"github.com/lewistv/xcri-proxy/proxy/generation/note"
	"github.com/lewistv/xcri-proxy/store"
)

// Note is the state of the database from which the cached entries were read.
type Note = note.Note

// Note returns the state of the database from which the cached entries were read. A caller
// that saves it with the entries calls Note first, so that the next run still detects a
// change between the two calls.
func (w *Watcher) Note() Note {
	k := w.kept.Load()
	n := Note{Stamps: k.stamps, Quiet: k.quiet, Tables: map[string][]note.Scope{}}
	n.Published, _ = w.Published()
	for name, rows := range k.rows {
		all := make([]note.Scope, 0, len(rows))
		for s, sum := range rows {
			all = append(all, note.Scope{Scope: s.String(), Rows: sum, Of: k.of[name][s]})
		}
		n.Tables[name] = all
	}
	return n
}

// kept is the state of all tables after a poll, for Note. It is immutable.
type kept struct {
	stamps map[string]store.Stamp
	quiet  map[string]time.Time
	rows   map[string]map[store.Scope]store.Rows
	of     map[string]map[store.Scope]string
}

// keep returns the stamps whose changes are accounted for, and the rows at these
// stamps.
func (x *witness) keep() *kept {
	k := &kept{map[string]store.Stamp{}, map[string]time.Time{}, map[string]map[store.Scope]store.Rows{}, map[string]map[store.Scope]string{}}
	for name, t := range x.tables {
		k.stamps[name], k.quiet[name] = t.settled, t.quiet
		if t.of != nil {
			k.rows[name], k.of[name] = t.rows, t.of
		}
	}
	return k
}

// remember takes over the rows of a note.
func (t *table) remember(all []note.Scope) {
	rows, of := map[store.Scope]store.Rows{}, map[store.Scope]string{}
	for _, one := range all {
		s, err := store.ParseScope(one.Scope)
		if err != nil {
			return
		}
		rows[s], of[s] = one.Rows, one.Of
	}
	t.rows, t.of = rows, of
}

// generationsOf returns the generation of each scope of a table.
func generationsOf(rows map[store.Scope]store.Rows, g *store.Generation) map[store.Scope]string {
	of := make(map[store.Scope]string, len(rows))
	for s := range rows {
		of[s] = g.Of(s)
	}
	return of
}
