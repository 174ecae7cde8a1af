// Package agree makes the members of a fleet publish each generation together, so that a
// client that changes from one member to another never gets an older generation than
// before.
//
// # How members agree
//
// A member that has filled the warm set of a generation votes that it is ready. Once all
// living members are ready, or 2 s after the first, the level decides for the generation.
// Each member then holds the requests for answers that the generation makes stale, and
// votes that it holds them. Once all members hold their requests, or after 250 ms, each
// publishes the generation, and the requests go on. So no member publishes while another
// serves the older generation. A member that was not ready publishes with the others, and
// looks up the answers that it has not prepared as they are requested.
//
// Decisions have an order: the level decides for a generation only if its member has read it
// from the database after it knew of the last decision. Members that find different
// generations therefore publish both in the order of the database, or only the later.
//
// # When the level is away
//
// A member without a connection publishes by itself as soon as it is ready. If the level
// fails after a decision, the members that know it publish within 250 ms. A client may then
// get an older generation from a member that has not published yet.
package agree

import (
	"context"
	"errors"
	"sync"
	"time"
)

// readyTime is the time for which a member that is ready waits for the others.
const readyTime = 2 * time.Second

// ErrOther is the error of a member that is ready for a generation while the fleet has decided
// for another.
var ErrOther = errors.New("the fleet publishes another generation")

// Options configure Rounds. All are required.
type Options struct {
	// Session returns a context that ends when the connection to the level does; nil while
	// there is none.
	Session func() context.Context
	// Cast casts a vote, and Read returns the last decision. They return false if the level
	// is away. Announce sends to the other members that the database has a generation.
	Cast     func(context.Context, Vote) (Result, bool)
	Read     func(context.Context) (Decision, bool)
	Announce func(name string)
	// Hold makes requests wait for the publish of a generation. It returns false if this
	// member does not follow the decision. Wake requests a poll of the database.
	Hold func(data []byte) bool
	Wake func()
	// HoldTime is the longest time for which a member that holds requests waits for the
	// others: 250 ms in production.
	HoldTime time.Duration
}

// Rounds are the votes of one member. They are safe for concurrent use.
type Rounds struct {
	opts    Options
	heard   chan string   // capacity 1: the newest decision that was announced and is not known
	turn    chan struct{} // capacity 1: holds a value while learn calls ask
	mu      sync.Mutex
	known   string        // the last decision that this member knows
	changed chan struct{} // closed when known changes
	round   *Round        // the decision that this member has not published yet; nil if there is none
	// published is the generation that this member has published, and seen the newest that a
	// member has announced.
	published, seen string
	// held is the last generation for which all living members held requests. A member whose
	// heartbeat was late does not count, and may learn of it before it knows the decision.
	held      string
	interrupt context.CancelFunc // of Until
	counts    Counts
}

// Round is a decision that a member has to follow.
type Round struct {
	Decision
	since time.Time
	all   chan struct{} // closed once all members hold requests
}

// New returns Rounds without a decision.
func New(opts Options) *Rounds {
	return &Rounds{opts: opts, heard: make(chan string, 1), turn: make(chan struct{}, 1), changed: make(chan struct{})}
}

// Alone returns the Rounds of a proxy that is no member of a fleet.
func Alone() *Rounds { return New(Options{Session: func() context.Context { return nil }}) }

// Known returns the name of the last decision that this member knows.
func (r *Rounds) Known() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known
}

// Round returns the decision that this member has to follow; nil if there is none.
func (r *Rounds) Round() *Round {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.round
}

// Enter begins a session. decided names the last decision of the level, which this member
// may have missed.
func (r *Rounds) Enter(decided string) {
	r.mu.Lock()
	r.known = decided
	r.mu.Unlock()
	r.opts.Wake()
}

// Run follows the announced decisions until the session ends.
func (r *Rounds) Run(session context.Context) {
	for {
		select {
		case <-session.Done():
			return
		case name := <-r.heard:
			if name == r.Known() {
				continue
			}
			r.learn(session, func() (Decision, bool) { return r.opts.Read(session) })
		}
	}
}

// Decided handles the announcement of a decision. It does not block.
func (r *Rounds) Decided(name string) {
	for {
		select {
		case r.heard <- name:
			return
		default:
		}
		select {
		case <-r.heard: // an older decision
		default:
		}
	}
}

// AllHold handles the announcement that all members hold requests for a generation.
func (r *Rounds) AllHold(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = name
	if r.round != nil && r.round.Name == name {
		r.round.pass()
	}
}

// pass ends the wait for the other members. The caller holds mu.
func (d *Round) pass() {
	if !d.passed() {
		close(d.all)
	}
}

// passed reports whether all members hold requests.
func (d *Round) passed() bool {
	select {
	case <-d.all:
		return true
	default:
		return false
	}
}

// Announced handles the announcement that the database has a generation: this member polls
// immediately.
func (r *Rounds) Announced(name string) {
	r.mu.Lock()
	known := r.seen == name || r.published == name
	r.seen = name
	r.mu.Unlock()
	if !known {
		r.opts.Wake()
	}
}

// Seen announces that this member has read a new generation from the database, unless it was
// announced before.
func (r *Rounds) Seen(name string) {
	r.mu.Lock()
	known := r.seen == name
	r.seen = name
	r.mu.Unlock()
	if !known && r.opts.Session() != nil {
		r.opts.Announce(name)
	}
}

// Published notes that this member has published a generation.
func (r *Rounds) Published(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.published = name
	if r.round == nil || r.round.Name != name {
		return
	}
	if r.round.passed() {
		r.counts.Together++
	} else {
		r.counts.Late++
	}
	r.round = nil
}

// Until returns a context that ends with ctx, or earlier once there is a decision to
// follow. Calls must not be concurrent.
func (r *Rounds) Until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.interrupt = cancel; r.round != nil {
		cancel()
	}
	return ctx, cancel
}

// learn calls ask, which returns the last decision of the level, follows the decision and votes
// that this member does. It returns false if the level is away. Calls take turns, so that this
// member learns decisions in the order in which the level has made them.
func (r *Rounds) learn(session context.Context, ask func() (Decision, bool)) (up bool) {
	r.turn <- struct{}{}
	d, up := ask()
	if session.Err() != nil { // another session may have learned a later decision
		up = false
	}
	follows := up && r.decide(d)
	<-r.turn
	if !follows {
		return up
	}
	r.opts.Wake()
	if result, ok := r.opts.Cast(session, Vote{Step: Held, Name: d.Name}); ok && result.All {
		r.AllHold(d.Name)
	}
	return up
}

// decide records the last decision and holds requests for it. It returns false if this
// member knows it already.
func (r *Rounds) decide(d Decision) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d.Name == r.known || d.Name == "" {
		return false
	}
	r.known = d.Name
	if r.published != d.Name && r.opts.Hold(d.Data) {
		r.round = &Round{Decision: d, since: time.Now(), all: make(chan struct{})}
		if r.held == d.Name {
			r.round.pass()
		}
		if r.interrupt != nil {
			r.interrupt()
		}
	}
	close(r.changed)
	r.changed = make(chan struct{})
	return true
}
