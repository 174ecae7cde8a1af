package generation

import (
	"time"

	"github.com/lewistv/xcri-proxy/store"
)

// Stale names the answers that have ceased to be fresh, for copies outside of the cache.
type Stale struct {
	// All is set for all answers or, with a Table, for all answers that are read from it.
	All bool
	// Scopes have changed: answers of any scope that overlaps them are no longer fresh.
	Scopes []store.Scope
	// Table is the table that has changed; empty for calculations.
	Table string
	// Since is the start of the changes of Table: answers of any scope that were filled
	// since may be of a state in between. It is zero if the time is unknown.
	Since time.Time
}

// became reports the answers that a publish of g in place of another generation has made
// stale. The first publish of a run makes all stale: no other part of the program knows
// the copies that an earlier run has given out.
func (w *Watcher) became(before, g *store.Generation) {
	if before == nil || w.progress.warmed == "" {
		w.opts.OnStale(Stale{All: true})
	} else if changed := g.Changed(before); len(changed) > 0 {
		w.opts.OnStale(Stale{Scopes: changed})
	}
}
