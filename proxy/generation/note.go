package generation

import (
	"encoding/json"
	"time"

	"github.com/lewistv/xcri-proxy/store"
)

// Note is the state of the database from which the cached entries were read. It is saved
// with them for the next run. In the zero Note everything is unknown.
type Note struct {
	Published *store.Generation      // nil means unknown
	Stamps    map[string]store.Stamp // whose changes are accounted for, by table
	Quiet     map[string]time.Time   // when a table was last seen at its stamp
	Tables    map[string][]ScopeNote // the rows at these stamps, by table; none if unknown
}

// ScopeNote is the state of a scope of a table.
type ScopeNote struct {
	Scope string
	store.Rows
	Of string // the calculations of the scope
}

// String writes the note as a text for ParseNote.
func (n Note) String() string {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // maps and lists of texts and numbers can always be encoded
	}
	return string(text)
}

// ParseNote reads the text that String wrote. It returns the zero Note for any other
// text.
func ParseNote(text string) (n Note) {
	if json.Unmarshal([]byte(text), &n) != nil {
		return Note{}
	}
	return n
}

// Note returns the state of the database from which the cached entries were read. A caller
// that saves it with the entries calls Note first, so that the next run still detects a
// change between the two calls.
func (w *Watcher) Note() Note {
	k := w.kept.Load()
	n := Note{Stamps: k.stamps, Quiet: k.quiet, Tables: map[string][]ScopeNote{}}
	n.Published, _ = w.Published()
	for name, rows := range k.rows {
		all := make([]ScopeNote, 0, len(rows))
		for s, sum := range rows {
			all = append(all, ScopeNote{s.String(), sum, k.of[name][s]})
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
func (t *table) remember(all []ScopeNote) {
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
