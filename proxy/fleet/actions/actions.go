// Package actions keeps a log of the actions that operators make on a whole fleet. Each
// member knows its place in the log and does all later actions, also after it was away, and
// after the log was lost.
package actions

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
	"github.com/lewistv/xcri-proxy/proxy/fleet/series"
)

// The kinds of actions.
const (
	Purge       = "purge"
	Source      = "source"
	Maintenance = "maintenance"
	Warm        = "warm"
	Table       = "table"   // a change of a table that its stamp does not show
	Local       = "series"  // a purge of one member, after which no member uses older shared answers
	known       = "known"   // the last event that a member knows of a log that was lost
	restored    = "lasting" // the lasting actions that a member knows, after the level has lost some
)

// Action is a change that an operator makes to the whole fleet.
type Action struct {
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data,omitempty"`
	// By is the member on which the action was made.
	By string `json:"by"`
	// Series is the series that follows an action after which older answers must not be used;
	// empty if there is none. Until the action is in the log, it is the ID of its cut.
	Series string `json:"series,omitempty"`
	// At is the time of the action: of a lasting action by the clock of its member, or later
	// if the member knew a later one; of all others in the log, by the clock of the level, and
	// the zero time until it is in the log.
	At time.Time `json:"at,omitzero"`
}

// ErrAway is the error of an action that the other members do later.
var ErrAway = errors.New("the shared level is away")

// Options configure a Log. All but Lasting's are required.
type Options struct {
	Engine engine.Engine
	// Name returns the name of this member.
	Name func() string
	// Apply does an action of another member. Forget makes all entries stale.
	Apply  func(Action)
	Forget func()
	// Missed repeats, on the entries of an earlier run, the purges and changes of tables
	// that this member may have missed before its first session. purges holds all since a
	// time.
	Missed func(since time.Time, purges []Action)
	Lasting
	// Selector returns the condition by which an action selects keys.
	Selector series.Selector
	Logger   *slog.Logger
}

// Lasting configures how a Log keeps the actions that last: the changes of sources and of
// maintenance mode.
type Lasting struct {
	// Parts returns the parts that a change of sources changes; empty means all. Nil means
	// that a change has one part, its text.
	Parts func(change json.RawMessage) []string
	// Settle sets this member's state to the result of all lasting actions, which are in
	// the order of their times. news holds the actions among them that this member did not
	// know. Nil calls Apply for each of the news.
	Settle func(all, news []Action)
	// Kept is the work of an earlier run. Keep saves it for the next; nil saves nothing.
	Kept Kept
	Keep func(Kept) error
}

// Run runs an operation of the level in a session. Its error ends the session.
type Run func(operation func(context.Context) error) error

// Log is this member's place in the log. It is safe for concurrent use.
type Log struct {
	opts Options
	// series is nil while a purge is under way, and before the first session.
	series atomic.Pointer[series.Series]

	mu   sync.Mutex
	text string // of the series after the last event
	last string // ID of the last event that was applied; empty before the first session
	// pending are actions of this member that are not in the log yet. While there are any
	// with a series, the member uses no shared answers.
	pending []Action
	own     map[string]bool // IDs of this member's events, which are applied already
	lasting
	// memory is for the case that the log is lost.
	memory
}

// New returns a Log without a place.
func New(opts Options) *Log {
	l := &Log{opts: opts, own: map[string]bool{}}
	if opts.Parts == nil {
		l.opts.Parts = func(change json.RawMessage) []string { return []string{string(change)} }
	}
	if opts.Settle == nil {
		l.opts.Settle = func(_, news []Action) {
			for _, a := range news {
				l.opts.Apply(a)
			}
		}
	}
	if opts.Keep == nil {
		l.opts.Keep = func(Kept) error { return nil }
	}
	l.restore(opts.Kept)
	return l
}

// Request is an action that an operator makes on this member.
type Request struct {
	Kind string
	Data any
	// Purge keeps all members from using the selected answers from before the action.
	Purge bool
	// Alone limits the action to this member.
	Alone bool
}

// Series returns the present series; nil if no shared answer may be used.
func (l *Log) Series() *series.Series { return l.series.Load() }

// Act does an action on this member by calling do, and adds the action to the log, so that
// all other members do it: members that are away do it on their return. If do fails, its
// error is returned as refused, and the action is not added. away reports that the level is
// away, and also why a restart would lose the action, if it would. run returns nil while
// the level is away.
func (l *Log) Act(r Request, do func() error, run func() Run) (refused, away error) {
	if r.Alone && !r.Purge && !lasts(r.Kind) {
		return do(), nil
	}
	text, err := json.Marshal(r.Data)
	if err != nil {
		return err, nil
	}
	a := Action{Kind: r.Kind, Data: text, By: l.opts.Name()}
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.series.Load()
	if r.Purge {
		a.Series = rand.Text()
		l.series.Store(nil) // before the purge: no lookup may bring back an older answer
	}
	if err := do(); err != nil {
		l.series.Store(before)
		return err, nil
	}
	if lasts(a.Kind) {
		a.At = l.time()
		l.note(a, r.Alone)
	}
	if r.Alone {
		a = Action{Kind: Local, Data: a.Data, By: a.By, Series: a.Series}
		if r.Kind != Purge {
			a.Data = nil // the others use no older shared answer at all
		}
	}
	if !r.Alone || r.Purge {
		l.pending = append(l.pending, a)
		l.bound()
		away = l.sendAll(run())
	}
	if err := l.keep(); err != nil && away != nil {
		away = fmt.Errorf("%w; %w", away, err)
	}
	return nil, away
}

// sendAll adds the pending actions to the log, if the level is not away.
func (l *Log) sendAll(run Run) error {
	if run == nil {
		return ErrAway
	}
	l.keep() // the process may end before a slow level answers
	return l.follow(run)
}

// Enter finds this member's place in the log at the begin of a session. In its first
// session it applies the lasting actions of the log, and the purges to its saved entries;
// later, the events that it has missed.
func (l *Log) Enter(run Run) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.keep()
	if l.last != "" {
		return l.follow(run)
	}
	at, err := l.position(run)
	if err != nil {
		return err
	}
	events, _, err := l.since(run, beginOfLog)
	if err != nil {
		return err
	}
	l.resumeFrom(events, at.Lasting)
	for _, e := range events {
		if a, _ := parse(e); engine.CompareIDs(e.ID, at.Last) <= 0 {
			l.reach(e.ID, a)
		}
	}
	l.last = at.Last
	l.take(at.Series)
	return l.follow(run)
}

// resumeFrom does the actions of a log, and the lasting actions of the level, in the first
// session. It repeats the pending purges of an earlier run, which may not have reached the
// saved entries.
func (l *Log) resumeFrom(events []engine.Event, level string) {
	lasting, purges := parseList([]byte(level)), []Action{}
	isPurge := func(a Action) bool { return a.Kind == Purge || a.Kind == Table }
	for _, e := range events {
		a, ok := parse(e)
		if ok && isPurge(a) {
			purges = append(purges, a)
		}
		lasting = append(lasting, lastingOf(a)...)
	}
	for _, a := range l.pending {
		if a.At = time.Now(); isPurge(a) {
			purges = append(purges, a)
		}
	}
	l.level = level
	l.hear(lasting)
	if len(events) > 0 {
		l.opts.Missed(engine.TimeOf(events[0].ID), purges)
	}
}

// parse returns the action of an event; false if the event is not understood.
func parse(e engine.Event) (a Action, ok bool) {
	if err := json.Unmarshal(e.Text, &a); err != nil {
		return Action{}, false
	}
	if !lasts(a.Kind) || a.At.IsZero() { // lasting actions of earlier versions have no time
		a.At = engine.TimeOf(e.ID)
	}
	return a, true
}

// Follow adds the pending actions to the log, and applies the events of other members.
func (l *Log) Follow(run Run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.follow(run)
	l.keep()
}

// Compare checks whether an event was missed, or the log or a lasting action was lost, and
// catches up.
func (l *Log) Compare(run Run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, err := l.position(run)
	if err != nil {
		return
	}
	if at.Lasting != l.level {
		l.reconcile(at.Lasting)
	}
	if at.Last != l.last || at.Series != l.text || len(l.pending) > 0 || l.behind() {
		l.follow(run)
	}
	l.keep()
}

// ends reports whether a pending action ends the series.
func (l *Log) ends() bool {
	return slices.ContainsFunc(l.pending, func(a Action) bool { return a.Series != "" })
}
