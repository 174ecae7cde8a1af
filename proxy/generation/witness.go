package generation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/store"
)

const (
	// restless is the number of Changes.Settle periods after which the changes of a
	// table that keeps changing count as settled.
	restless = 6
	// stampResolution is the time within which a second change of a table can leave
	// the same stamp.
	stampResolution = 1100 * time.Millisecond
	// sumTimeout bounds the reading of a whole table.
	sumTimeout = 30 * time.Second
)

// Changes configures how to treat changes that no calculation reports.
type Changes struct {
	// Settle is the time for which a changed table must be quiet until its entries become
	// stale; zero means 5 s.
	Settle time.Duration
	// ImplausibleAfter is the time for which a state that resembles an unfinished import is
	// held back; zero means 10 min.
	ImplausibleAfter time.Duration
	// MaxAge is the freshness of an entry whose changes are reported neither by a
	// calculation nor by the server; zero means 10 min.
	MaxAge time.Duration
	// OnUnstamped is called after a change of a table whose stamp may have been the same
	// before the change. It must not block; nil does nothing.
	OnUnstamped func(table string)
	// Saved is the note, from Watcher.Note, that an earlier run saved with its entries.
	Saved Note
}

func (c Changes) withDefaults() Changes {
	if c.Settle == 0 {
		c.Settle = 5 * time.Second
	}
	if c.ImplausibleAfter == 0 {
		c.ImplausibleAfter = 10 * time.Minute
	}
	if c.OnUnstamped == nil {
		c.OnUnstamped = func(string) {}
	}
	if c.MaxAge == 0 {
		c.MaxAge = 10 * time.Minute
	}
	return c
}

// witness detects changes of rows that no calculation reports: rows corrected by hand,
// tables that separate jobs write, rows written after their metadata row. It compares
// the tables' stamps from poll to poll. Once a changed table has been quiet for
// Changes.Settle, it makes stale the entries of the routes that read the table: the
// entries of the scopes whose rows differ, and the entries that were read during the
// changes. The Watcher's Run owns it, except for summing.
type witness struct {
	tables     map[string]*table
	resolution time.Duration  // stampResolution, except in tests
	aged       time.Time      // when entries were last purged by Changes.MaxAge
	summing    sync.WaitGroup // at most one table is read at a time
	sums       chan sum       // capacity 1: the table that was read
	busy       bool           // a table is being read, or sums holds the result
}

// table is the witness's record of one table.
type table struct {
	name string
	seen store.Stamp // by the last poll
	// settled is the stamp before the unsettled changes. quiet is the start of the
	// last poll that returned it.
	settled store.Stamp
	quiet   time.Time
	// since is when a poll first saw another stamp than settled; zero for none.
	// changed is when a poll last saw the stamp change.
	since, changed time.Time
	// emptied is set if the table has resembled an unfinished import since then: it was
	// empty, or its change was held back.
	emptied bool
	// rows holds the sums of the table's rows at settled; nil if unknown. of holds the
	// generations of their scopes at that time; nil if the rows can't be read.
	rows map[store.Scope]store.Rows
	of   map[store.Scope]string
	// held is the reason for holding the change back although the table is quiet, at
	// the stamp heldAt.
	held   string
	heldAt store.Stamp
	audit  audit
}

// sum is the result of reading a whole table.
type sum struct {
	table string
	begun time.Time
	stamp store.Stamp // before the read
	rows  map[store.Scope]store.Rows
	err   error
}

// change is the difference between two states of a table.
type change struct {
	all    bool                       // any scope may have changed
	scopes []store.Scope              // otherwise, the changed scopes
	rows   map[store.Scope]store.Rows // afterwards; nil if they are not known
}

// Table reports the recorded changes of one table.
type Table struct {
	Name string
	// Recorded reports whether the server records changes of the table's rows.
	Recorded bool
	// ChangingSince is the time at which the present changes were first seen; the zero
	// time if every change is accounted for.
	ChangingSince time.Time
	// Held is the reason for holding a change back; empty if there is none.
	Held string
}

func newWitness(saved Note) *witness {
	x := &witness{tables: map[string]*table{}, sums: make(chan sum, 1), resolution: stampResolution}
	for name, stamp := range saved.Stamps {
		if stamp.Recent { // the table may have changed again under the same stamp
			stamp = store.Stamp{}
		}
		t := &table{name: name, seen: stamp, settled: stamp}
		if rows, ok := saved.Tables[name]; ok {
			t.remember(rows)
		}
		if quiet := saved.Quiet[name]; quiet.Before(time.Now()) { // unless the clock was set back
			t.quiet = quiet
		}
		x.tables[name] = t
	}
	return x
}

// status reports on all tables, by name.
func (x *witness) status() []Table {
	var all []Table
	for _, name := range slices.Sorted(maps.Keys(x.tables)) {
		t := x.tables[name]
		all = append(all, Table{name, t.seen.Known(), t.since, t.held})
	}
	return all
}

// observe compares the stamps of a poll with the stamps of earlier polls.
func (x *witness) observe(g *store.Generation, begun time.Time) {
	for name, stamp := range g.Stamps() {
		t := x.tables[name]
		switch {
		case t == nil:
			t = &table{name: name, seen: stamp, settled: stamp, quiet: begun}
			x.tables[name] = t
			if stamp.Recent { // it may change again under the same stamp
				t.since, t.changed = begun, begun
			}
		case !stamp.Same(t.seen):
			t.seen, t.changed = stamp, begun
			t.emptied = t.emptied || stamp.Empty
			if t.since.IsZero() {
				t.since = begun
			}
		case t.since.IsZero():
			t.quiet = begun
		}
	}
}

// due reports whether the changes of a table are to be accounted for.
func (t *table) due(now time.Time, settle time.Duration) bool {
	if t.since.IsZero() || t.held != "" && t.heldAt.Same(t.seen) {
		return false
	}
	return now.Sub(t.changed) >= settle || now.Sub(t.since) >= restless*settle
}

// account makes stale the entries of tables that have changed and settled by the poll
// that returned g. It returns the number of entries.
func (w *Watcher) account(ctx context.Context, g *store.Generation, accept bool) (purged int) {
	x, begun := w.witness, w.progress.begun
	x.observe(g, begun)
	select {
	case s := <-x.sums:
		x.busy = false
		purged += w.summed(x.tables[s.table], s, g, begun, accept)
	default:
	}
	for _, name := range slices.Sorted(maps.Keys(x.tables)) {
		t := x.tables[name]
		if t.held != "" && (accept || w.overdue(t.since)) {
			purged += w.settle(t, change{all: true}, g, begun)
			continue
		}
		audit := t.since.IsZero() && w.progress.warmed != "" && (t.rows == nil || !begun.Before(t.audit.at))
		switch due := t.due(begun, w.opts.Changes.Settle); {
		case due && t.seen.Empty && !t.settled.Empty && len(t.of) == 0 && !accept && !w.overdue(t.since):
			w.holdBack(t, "the table is empty")
		case due, audit:
			w.sum(ctx, t)
		}
	}
	purged += w.age(begun)
	w.kept.Store(x.keep())
	w.view.Store(x.viewAt(begun))
	tables := x.status()
	w.tables.Store(&tables)
	return purged
}

// sum starts reading a whole table, unless a table is being read.
func (w *Watcher) sum(ctx context.Context, t *table) {
	x := w.witness
	if x.busy {
		return
	}
	x.busy = true
	s := sum{table: t.name, begun: w.progress.begun, stamp: t.seen}
	x.summing.Go(func() {
		reading, cancel := context.WithTimeout(ctx, sumTimeout)
		defer cancel()
		s.rows, s.err = w.opts.Store.ScopeRows(reading, s.table)
		x.sums <- s
	})
}

// summed handles the result of reading a table: its first known state, the state after a
// change, or an audit.
func (w *Watcher) summed(t *table, s sum, g *store.Generation, begun time.Time, accept bool) int {
	if s.err != nil {
		w.opts.Logger.Debug("table not summed up", "table", t.name, "error", s.err)
	}
	switch moved := !s.stamp.Same(t.seen); {
	case t.since.IsZero():
		if !w.audited(t, s, g, begun) {
			return 0
		}
	case s.err != nil:
		return w.settle(t, change{all: true}, g, begun)
	case moved && begun.Sub(t.since) < restless*w.opts.Changes.Settle:
		return 0 // it has changed meanwhile: due again
	case moved, t.of == nil:
		return w.settle(t, change{all: true, rows: s.rows}, g, begun)
	}
	if reason := t.shrunk(s.rows, g); reason != "" && !accept && !w.overdue(t.since) {
		w.holdBack(t, reason)
		return 0
	}
	return w.settle(t, change{scopes: store.Changed(t.rows, s.rows), rows: s.rows}, g, begun)
}

// holdBack leaves the entries of a table as they are until the table changes again, the
// state has lasted for Changes.ImplausibleAfter, or an operator accepts it.
func (w *Watcher) holdBack(t *table, reason string) {
	t.held, t.heldAt, t.emptied = reason, t.seen, true
	w.opts.Logger.Warn("change of a table held back, it resembles an unfinished import", "table", t.name, "reason", reason,
		"accepted_after", w.opts.Changes.ImplausibleAfter)
}

// shrunk describes a scope that has lost more than half of its rows without a new
// calculation; empty if there is none.
func (t *table) shrunk(rows map[store.Scope]store.Rows, g *store.Generation) string {
	var lost []string
	uncovered := slices.Contains(store.UncoveredTables(), t.name)
	for s, before := range t.rows {
		explained := !uncovered && g.Of(s) != t.of[s]
		if after := rows[s]; 2*after.Count < before.Count && !explained {
			lost = append(lost, fmt.Sprintf("%s has %d rows instead of %d", s, after.Count, before.Count))
		}
	}
	slices.Sort(lost)
	if len(lost) == 0 {
		return ""
	}
	return lost[0]
}

// Tables reports the recorded changes of all tables, by name.
func (w *Watcher) Tables() []Table {
	if all := w.tables.Load(); all != nil {
		return *all
	}
	return nil
}

// HeldTables returns the tables whose changes are held back, with the reasons.
func (w *Watcher) HeldTables() []string {
	held := []string{}
	for _, t := range w.Tables() {
		if t.Held != "" {
			held = append(held, t.Name+": "+t.Held)
		}
	}
	return held
}

// settle ends the changes of a table: entries of routes that read the table become stale if
// their scope has changed, or if they were read while the table was changing, and are
// dropped if the table may have been empty then. It returns their number.
func (w *Watcher) settle(t *table, c change, g *store.Generation, begun time.Time) int {
	quiet, last := t.quiet, t.changed.Add(w.witness.resolution)
	dropped := 0
	if t.emptied && !quiet.IsZero() { // answers that were read meanwhile may have no rows
		dropped = w.purgeReaders(t.name, true, func(e *cache.Entry) bool {
			return e.Filled.After(quiet) && !e.Filled.Add(-e.Took).After(last)
		})
	}
	purged := w.purgeReaders(t.name, false, func(e *cache.Entry) bool {
		if e.Filled.Add(-e.Took).After(last) {
			return false // it was read after the changes
		}
		if c.all || e.Filled.After(quiet) {
			return true
		}
		scope, err := store.ParseScope(e.Scope)
		return err != nil || slices.ContainsFunc(c.scopes, scope.Overlaps)
	})
	w.opts.Logger.Info("table changed", "table", t.name, "all_scopes", c.all, "changed_scopes", len(c.scopes), "stale_entries", purged, "dropped_entries", dropped)
	w.opts.OnStale(Stale{All: c.all, Scopes: c.scopes, Table: t.name, Since: quiet})
	if t.audit.found || t.settled.Known() && !t.seen.Known() {
		w.opts.Changes.OnUnstamped(t.name)
	}
	t.settled, t.quiet, t.since, t.changed, t.held = t.seen, begun, time.Time{}, time.Time{}, ""
	t.emptied, t.audit.found = false, false
	t.audit.restart(begun, w.opts.Changes.MaxAge)
	if begun.Before(last) { // it may change again under the same stamp
		t.audit.at = last
	}
	t.rows, t.of = c.rows, nil
	if c.rows != nil {
		t.of = generationsOf(c.rows, g)
	}
	return purged + dropped
}

// purgeReaders makes stale the matching entries of the routes that read a table, or
// drops them.
func (w *Watcher) purgeReaders(table string, hard bool, match func(*cache.Entry) bool) int {
	return w.opts.Cache.Purge(func(e *cache.Entry) bool {
		r := w.opts.Routes.Of(e.Key)
		return r != nil && slices.Contains(r.Endpoint.Reads, table) && match(e)
	}, hard)
}

// TableChanged makes stale the entries of the routes that read a table: another member of
// the fleet has found a change of it that no stamp shows.
func (w *Watcher) TableChanged(table string) {
	w.purgeReaders(table, false, func(*cache.Entry) bool { return true })
}

// overdue reports whether an implausible state has lasted for
// Changes.ImplausibleAfter, so that it is accepted.
func (w *Watcher) overdue(since time.Time) bool {
	return w.opts.Now().Sub(since) >= w.opts.Changes.ImplausibleAfter
}
