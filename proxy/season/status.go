package season

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// State is the state of the last walk.
type State string

// The states. A walk that waits for the database, or for the end of maintenance mode, is
// Filling, and Status.Waiting is the reason.
const (
	Idle       State = ""           // there was no walk yet
	Filling    State = "filling"    // the walk is under way
	Complete   State = "complete"   // all answers are in the cache
	Full       State = "full"       // there is no room for more
	Incomplete State = "incomplete" // some answers could not be filled, and are tried again
)

// Status describes the last walk. Times are in seconds, sizes in bytes.
type Status struct {
	State      State
	Waiting    string // the reason for which a walk waits; empty if it does not
	Generation string // of the answers
	Counts
	// Bytes is the size of the kept answers, and Needed the estimated size of all.
	Bytes, Needed int64
	Seconds       float64 // of the walk, with its waits
	Error         string  // the last error
}

// Counts count the keys of the last walk.
type Counts struct {
	Keys    int // of the season
	Done    int // reached so far
	Filled  int // loaded by the walk; others were fresh
	Failed  int // could not be loaded
	LeftOut int // found no room
}

// report keeps the status of the walk.
type report struct {
	mu     sync.Mutex
	status Status
	begun  time.Time
	inARow int // failures
	kinds  []tally
	warned bool // the log says that there is no room
}

// tally sums up the kept answers of a kind.
type tally struct {
	all, kept int
	bytes     int64
}

// Status returns the state of the last walk.
func (r *report) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	if s.State == Filling {
		s.Seconds = time.Since(r.begun).Seconds()
	}
	s.Bytes, s.Needed = r.sizes()
	return s
}

// sizes returns the size of the kept answers, and of all by the mean of their kind. A kind
// of which none is kept counts with the mean of all kinds.
func (r *report) sizes() (bytes, needed int64) {
	kept := 0
	for _, k := range r.kinds {
		bytes, kept = bytes+k.bytes, kept+k.kept
	}
	for _, k := range r.kinds {
		switch {
		case k.kept > 0:
			needed += k.bytes * int64(k.all) / int64(k.kept)
		case kept > 0:
			needed += bytes * int64(k.all) / int64(kept)
		}
	}
	return bytes, needed
}

// Report returns the status for operators.
func (w *Walker) Report() api.Season {
	if !w.On() {
		return api.Season{State: api.SeasonOff}
	}
	s := w.Status()
	return api.Season{
		State: string(s.State), Waiting: s.Waiting, Generation: s.Generation, SeasonCounts: api.SeasonCounts(s.Counts),
		Bytes: s.Bytes, Needed: s.Needed, Seconds: s.Seconds, Error: s.Error,
	}
}

func (r *report) begin(p *plan, generation string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = Status{State: Filling, Generation: generation, Counts: Counts{Keys: p.keys}}
	r.begun, r.inARow, r.kinds = time.Now(), 0, make([]tally, len(kinds))
	for _, s := range p.streams {
		r.kinds[s.kind].all += s.count
	}
}

// kept records the result of one key.
func (r *report) kept(kind int, e *cache.Entry, filled bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if filled {
		r.status.Filled++
	}
	switch {
	case err == nil:
		r.status.Done++
		r.inARow = 0
		r.kinds[kind].kept++
		r.kinds[kind].bytes += e.Cost()
	case errors.Is(err, cache.ErrNoRoom), errors.Is(err, context.Canceled):
	default:
		r.status.Done++
		r.status.Failed++
		r.status.Error = err.Error()
		if !errors.Is(err, cache.ErrMoved) { // which says nothing about the database
			r.inARow++
		}
	}
}

// row returns the number of failures in a row.
func (r *report) row() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inARow
}

func (r *report) wait(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Waiting = reason
}

// stop records the end of a walk that has not reached all keys.
func (r *report) stop(state State, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.State == Filling {
		r.status.Seconds = time.Since(r.begun).Seconds()
	}
	r.status.State = state
	if err != nil {
		r.status.Error = err.Error()
	}
}

// full records that there is no room for more keys, and logs that the first time in a row.
// It calls filled if the walk has filled any.
func (r *report) full(log *slog.Logger, filled func()) {
	r.stop(Full, nil)
	r.mu.Lock()
	r.status.LeftOut = r.status.Keys - r.status.Done
	first := !r.warned
	r.warned = true
	r.mu.Unlock()
	s := r.Status()
	if s.Filled > 0 {
		filled()
	}
	if first {
		log.Warn("the season finds no room in its part of the cache", "keys", s.Keys, "left_out", s.LeftOut, "bytes", s.Bytes, "bytes_needed", s.Needed)
	}
}

// end records the end of a walk that has reached all keys, and calls filled if it has
// filled any. It returns false if any has failed.
func (r *report) end(log *slog.Logger, filled func()) (complete bool) {
	state := Complete
	if r.Status().Failed > 0 {
		state = Incomplete
	}
	r.stop(state, nil)
	r.mu.Lock()
	r.warned = false
	r.mu.Unlock()
	if s := r.Status(); s.Filled > 0 {
		log.Info("season filled", "generation", s.Generation, "keys", s.Keys, "filled", s.Filled, "failed", s.Failed, "bytes", s.Bytes, "seconds", s.Seconds)
		filled()
	}
	return state == Complete
}
