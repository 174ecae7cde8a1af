package generation

import (
	"errors"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/store"
)

// ErrHeld is the error of a generation that is held back because it resembles an unfinished
// import.
var ErrHeld = errors.New("generation held back")

// held is a generation that resembles an unfinished import.
type held struct {
	id    string
	since time.Time // when the first implausible generation in a row was polled
}

// HeldFor returns the time for which a state that resembles an unfinished import is held
// back.
func (w *Watcher) HeldFor() time.Duration { return w.opts.Changes.ImplausibleAfter }

// hold returns an error while a generation must not be published: it resembles an
// unfinished import, has not lasted for Changes.ImplausibleAfter, and no operator has
// accepted it.
func (w *Watcher) hold(g *store.Generation, accept bool) error {
	h := &w.progress.held
	published, _ := w.Published()
	reason := ""
	if published != nil && published.ID() != g.ID() && !accept {
		reason = g.Implausible(published)
	}
	if reason != "" && h.since.IsZero() {
		h.since = w.opts.Now()
	}
	switch {
	case reason == "":
		*h = held{}
		w.requests.update(func(s *Status) { s.Held, s.HeldSince = "", nil })
		return nil
	case w.overdue(h.since):
		return nil
	}
	if h.id != g.ID() {
		h.id = g.ID()
		w.opts.Logger.Warn("generation held back, it resembles an unfinished import", "generation", h.id, "reason", reason,
			"accepted_after", w.opts.Changes.ImplausibleAfter)
	}
	since := h.since
	w.requests.update(func(s *Status) { s.Held, s.HeldSince = reason, &since })
	return fmt.Errorf("%w: %s", ErrHeld, reason)
}
