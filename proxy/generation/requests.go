package generation

import (
	"context"
	"slices"
	"sync"

	"github.com/lewistv/xcri-proxy/proxy/generation/status"
)

// maxRequested limits the keys that are warmed on request; the newest are kept.
const maxRequested = 10_000

// Status describes the last poll and the progress of a warm-up.
type Status = status.Status

// requests holds the requests to the watcher, and its status.
type requests struct {
	mu      sync.Mutex
	status  Status
	tickets int64 // issued
	refills int64 // requested
	done    int64 // refills that were published
	accept  bool  // the next poll accepts an implausible state
	// keys are requested for the next publish. The keys in kept were published with the
	// generation keptFor, and stay in its warm set.
	keys, kept []string
	keptFor    string
}

// work is the part of the requests that a single poll serves.
type work struct {
	ticket, refills int64
	accept          bool // implausible states are published
	pending         bool // the warm set is to be published although the generation is the same
	keys, kept      []string
	keptFor         string
	// until ends once the fleet has decided, after the decision after.
	until context.Context
	after string
}

// keysFor returns the requested keys of a generation's warm set.
func (t *work) keysFor(id string) []string {
	if t.keptFor != id {
		return slices.Clone(t.keys)
	}
	return slices.Concat(t.kept, t.keys)
}

// Poll requests an immediate poll, and keys to warm with it. The poll has ended once
// Status.Looked has reached the ticket.
func (w *Watcher) Poll(keys []string) (ticket int64) {
	w.requests.mu.Lock()
	w.requests.tickets++
	ticket = w.requests.tickets
	w.requests.add(keys)
	w.requests.mu.Unlock()
	w.Wake()
	return ticket
}

// Accept requests an immediate poll that accepts the database's state although it resembles
// an unfinished import. The ticket has the meaning of Poll's.
func (w *Watcher) Accept(keys []string) (ticket int64) {
	w.requests.mu.Lock()
	w.requests.accept = true
	w.requests.mu.Unlock()
	return w.Poll(keys)
}

// Later requests keys to warm with the next poll.
func (w *Watcher) Later(keys []string) {
	w.requests.mu.Lock()
	defer w.requests.mu.Unlock()
	w.requests.add(keys)
}

// Refill requests that the warm set is prepared again although the generation is the
// same, so that purged entries are filled. It waits while polls are paused.
func (w *Watcher) Refill() {
	w.requests.mu.Lock()
	w.requests.refills++
	w.requests.mu.Unlock()
	w.Wake()
}

// Status returns the state of the last poll and warm-up.
func (w *Watcher) Status() Status {
	w.requests.mu.Lock()
	defer w.requests.mu.Unlock()
	return w.requests.status
}

func (r *requests) add(keys []string) {
	if len(keys) > 0 {
		r.keys = newest(slices.Concat(r.keys, keys))
	}
}

// idle reports whether each requested poll has ended.
func (r *requests) idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tickets <= r.status.Looked
}

func (r *requests) take() work {
	r.mu.Lock()
	defer r.mu.Unlock()
	pending := r.refills > r.done || len(r.keys) > 0
	return work{ticket: r.tickets, refills: r.refills, accept: r.accept, pending: pending, keys: r.keys, kept: r.kept, keptFor: r.keptFor}
}

// published records that work was published with a generation: its keys stay until the
// next generation.
func (r *requests) published(t *work, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept, r.keptFor, r.done = newest(t.keysFor(id)), id, t.refills
	served := map[string]bool{}
	for _, key := range t.keys {
		served[key] = true
	}
	var rest []string
	for _, key := range r.keys {
		if !served[key] {
			rest = append(rest, key)
		}
	}
	r.keys = rest
}

// end records the end of a poll. Requests that the poll could not serve are left for
// the next poll.
func (r *requests) end(t *work, err error) {
	r.update(func(s *Status) {
		if err == nil && t.accept {
			r.accept = false
		}
		s.Looked, s.Warming, s.LookError = t.ticket, false, ""
		if err != nil {
			s.Error, s.LookError = err.Error(), err.Error()
		}
	})
}

func (r *requests) update(change func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status)
}

// newest returns keys without duplicates and without the oldest over the limit.
func newest(keys []string) []string {
	keys = distinct(keys)
	return keys[max(0, len(keys)-maxRequested):]
}

// distinct removes all but the first of equal keys, in place.
func distinct(keys []string) []string {
	seen := make(map[string]bool, len(keys))
	return slices.DeleteFunc(keys, func(key string) bool {
		again := seen[key]
		seen[key] = true
		return again
	})
}
