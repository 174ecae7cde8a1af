package generation

import (
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/store"
)

// firstAudit is the pause before the first audit after a change.
const firstAudit = time.Minute

// audit plans the next reading of a table whose stamp is the same. Some changes leave no
// other stamp: a transaction sets the second of its begin, so that the second of two
// commits is missed if both transactions began within one second; an exchange of
// partitions sets none; a view has none; and a restart of the server clears all of them.
type audit struct {
	at    time.Time
	pause time.Duration // doubles with each audit that finds no change
	found bool          // the change at hand was found by an audit
}

// restart plans the first audit of a state.
func (a *audit) restart(now time.Time, longest time.Duration) { a.plan(now, min(firstAudit, longest)) }

// next plans the audit after an audit without a result.
func (a *audit) next(now time.Time, longest time.Duration) {
	a.plan(now, min(max(2*a.pause, firstAudit), longest))
}

func (a *audit) plan(now time.Time, pause time.Duration) { a.at, a.pause = now.Add(pause), pause }

// auditAll plans an audit of each table: during an outage the server may have been
// restarted after a change. Outages in a row postpone the audits.
func (w *Watcher) auditAll() {
	for _, t := range w.witness.tables {
		t.audit.at, t.audit.pause = w.progress.begun.Add(w.opts.Changes.Settle), 0
	}
}

// audited handles the rows of a table whose stamp is the same. It reports whether they
// have changed nevertheless.
func (w *Watcher) audited(t *table, s sum, g *store.Generation, begun time.Time) (changed bool) {
	longest := w.opts.Changes.MaxAge
	switch {
	case s.err != nil:
		if t.rows == nil {
			t.rows = map[store.Scope]store.Rows{} // not read again before the next audit
		}
		t.audit.next(begun, longest)
	case !s.stamp.Same(t.seen): // an operator accepted a change meanwhile
	case t.of == nil:
		t.rows, t.of = s.rows, generationsOf(s.rows, g)
		t.audit.restart(begun, longest)
	case len(store.Changed(t.rows, s.rows)) == 0:
		t.audit.next(begun, longest)
	default:
		t.since, t.changed, t.audit.found = s.begun, s.begun, true
		return true
	}
	return false
}

// age makes stale, once in Changes.MaxAge, the entries whose changes are reported
// neither by the server nor by a calculation.
func (w *Watcher) age(now time.Time) (purged int) {
	x := w.witness
	if x.aged.IsZero() {
		x.aged = now
	}
	if now.Sub(x.aged) < w.opts.Changes.MaxAge {
		return 0
	}
	x.aged = now
	for _, name := range store.UncoveredTables() {
		if t := x.tables[name]; t == nil || !t.seen.Known() {
			purged += w.purgeReaders(name, false, func(e *cache.Entry) bool { return e.Filled.Before(now) })
			w.opts.OnStale(Stale{All: true, Table: name})
		}
	}
	return purged
}
