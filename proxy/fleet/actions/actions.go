// Package actions is the log of the actions that operators do on a whole fleet. Each member has
// its place in the log, and does the actions that follow: also if it was away meanwhile, and if
// the log was lost.
package actions

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
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
	Table       = "table"  // a change of a table that its stamp does not show
	Local       = "series" // a purge of one member, after which no member uses older shared answers
	known       = "known"  // the last event that a member knows of a log that was lost
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
	// At is the time of the action in the log; the zero time until it is in the log.
	At time.Time `json:"-"`
}

// ErrAway is the error of an action that the other members do later.
var ErrAway = errors.New("the shared level is away")

// Options configure a Log. All are required.
type Options struct {
	Engine engine.Engine
	// Name returns the name of this member.
	Name func() string
	// Apply does an action of another member. Forget makes all entries stale.
	Apply  func(Action)
	Forget func()
	// Missed does the purges, and the changes of tables, that this member may have missed
	// before its first session: to the entries of an earlier run.
	Missed func([]Action)
	// Selector returns the condition by which an action selects keys.
	Selector series.Selector
	Logger   *slog.Logger
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
	// memory is for the case that the log is lost.
	memory
}

// New returns a Log without a place.
func New(opts Options) *Log { return &Log{opts: opts, own: map[string]bool{}} }

// Series returns the present series; nil if no shared answer may be used.
func (l *Log) Series() *series.Series { return l.series.Load() }

// Act does an action on this member by calling do, and adds the action to the log, so that
// all other members do it: members that are away do it on their return. After a purge, the
// fleet uses no selected answers from before it. An action that do refuses is no action of the
// fleet, and do's error is returned as refused. The other error reports that the level is away.
// run returns nil while it is.
func (l *Log) Act(kind string, data any, purge bool, do func() error, run func() Run) (refused, away error) {
	text, err := json.Marshal(data)
	if err != nil {
		return err, nil
	}
	a := Action{Kind: kind, Data: text, By: l.opts.Name()}
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.series.Load()
	if purge {
		a.Series = rand.Text()
		l.series.Store(nil) // before the purge: no lookup may bring back an older answer
	}
	if err := do(); err != nil {
		l.series.Store(before)
		return err, nil
	}
	l.pending = append(l.pending, a)
	r := run()
	if r == nil {
		return nil, ErrAway
	}
	return nil, l.follow(r)
}

// Enter finds this member's place in the log at the begin of a session. In its first
// session it applies the lasting actions of the log, and the purges to its saved entries;
// later, the events that it has missed.
func (l *Log) Enter(run Run) error {
	l.mu.Lock()
	defer l.mu.Unlock()
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
	l.resumeFrom(events)
	l.last = at.Last
	l.take(at.Series)
	return l.follow(run)
}

// resumeFrom does the actions of a log in the first session. Of the periods of maintenance mode
// only the last counts.
func (l *Log) resumeFrom(events []engine.Event) {
	var lasting, purges []Action
	for _, e := range events {
		a, ok := parse(e)
		switch {
		case !ok:
		case a.Kind == Maintenance:
			lasting = slices.DeleteFunc(lasting, func(earlier Action) bool { return earlier.Kind == Maintenance })
			lasting = append(lasting, a)
		case a.Kind == Source:
			lasting = append(lasting, a)
		case a.Kind == Purge || a.Kind == Table:
			purges = append(purges, a)
		}
	}
	for _, a := range lasting {
		l.opts.Apply(a)
	}
	if len(purges) > 0 {
		l.opts.Missed(purges)
	}
}

// parse returns the action of an event; false if the event is not understood.
func parse(e engine.Event) (a Action, ok bool) {
	err := json.Unmarshal(e.Text, &a)
	a.At = engine.TimeOf(e.ID)
	return a, err == nil
}

// Follow adds the pending actions to the log, and applies the events of other members.
func (l *Log) Follow(run Run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.follow(run)
}

// Compare finds out if an event was missed, or the log was lost.
func (l *Log) Compare(run Run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, err := l.position(run)
	if err == nil && (at.Last != l.last || at.Series != l.text || len(l.pending) > 0) {
		l.follow(run)
	}
}

// ends reports whether a pending action ends the series.
func (l *Log) ends() bool {
	return slices.ContainsFunc(l.pending, func(a Action) bool { return a.Series != "" })
}
