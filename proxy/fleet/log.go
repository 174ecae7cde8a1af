package fleet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"sync"
)

// The kinds of actions.
const (
	Purge       = "purge"
	Source      = "source"
	Maintenance = "maintenance"
	Warm        = "warm"
	Table       = "table"  // a change of a table that its stamp does not show
	Series      = "series" // a purge of one member, after which no member uses older shared answers
	known       = "known"  // the last event that a member knows of a log that was lost
)

// Action is a change that an operator makes to the whole fleet.
type Action struct {
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data,omitempty"`
	// By is the member on which the action was made.
	By string `json:"by"`
	// Series is the new series of an action after which older answers must not be used;
	// empty if there is none.
	Series string `json:"series,omitempty"`
}

// actions are this member's place in the log of the fleet.
type actions struct {
	mu   sync.Mutex
	last string // ID of the last event that was applied; empty before the first session
	// pending are actions of this member that are not in the log yet. While there are any
	// with a series, the member uses no shared answers.
	pending []Action
	own     map[string]bool // IDs of this member's events, which are applied already
	// memory is for the case that the log is lost.
	memory
}

// ends reports whether a pending action ends the series.
func (l *actions) ends() bool {
	return slices.ContainsFunc(l.pending, func(a Action) bool { return a.Series != "" })
}

// errAway is the error of an action that the other members do later.
var errAway = errors.New("the shared level is away")

// beginOfLog is before every ID.
const beginOfLog = "0-0"

// Act does an action on this member by calling do, and adds the action to the log, so that
// all other members do it: members that are away do it on their return. After a purge, the
// fleet uses no answers from before it. An action that do refuses is no action of the fleet,
// and do's error is returned as refused. The other error reports that the level is away.
func (f *Fleet) Act(kind string, data any, purge bool, do func() error) (refused, away error) {
	text, err := json.Marshal(data)
	if err != nil {
		return err, nil
	}
	a := Action{Kind: kind, Data: text, By: f.opts.Info().Name}
	f.actions.mu.Lock()
	defer f.actions.mu.Unlock()
	before := f.series.Load()
	if purge {
		a.Series = rand.Text()
		f.series.Store(new("")) // before the purge: no lookup may bring back an older answer
	}
	if err := do(); err != nil {
		f.series.Store(before)
		return err, nil
	}
	f.actions.pending = append(f.actions.pending, a)
	s := f.link.now.Load()
	if s == nil {
		return nil, errAway
	}
	return nil, f.follow(context.Background(), s)
}

// TableChanged reports a change of a table that no stamp shows: the other members, which may
// not know of the change, make the entries of its readers stale.
func (f *Fleet) TableChanged(table string) {
	if _, away := f.Act(Table, table, true, func() error { return nil }); away != nil {
		f.opts.Logger.Warn("the other members do the action once the shared level is back", "action", Table, "error", away)
	}
}

// follow adds the pending actions to the log, and applies the events of other members. The
// caller holds actions.mu.
func (f *Fleet) follow(ctx context.Context, s *session) error {
	for {
		if err := f.send(ctx, s); err != nil {
			return err
		}
		if err := f.catchUp(ctx, s); err != nil || len(f.actions.pending) == 0 {
			return err
		}
	}
}

// send adds the pending actions to the log. The caller holds actions.mu.
func (f *Fleet) send(ctx context.Context, s *session) error {
	l := &f.actions
	for len(l.pending) > 0 {
		a := l.pending[0]
		text, err := json.Marshal(a)
		if err != nil {
			return err
		}
		var id string
		err = f.do(ctx, s, slowly*f.opts.Budget, func(ctx context.Context) (err error) {
			id, err = f.opts.Engine.Append(ctx, text, a.Series)
			return err
		})
		switch {
		case err != nil:
			return err
		case id == "":
			if err := f.mend(ctx, s); err != nil {
				return err
			}
		default:
			l.own[id] = true
			l.remember(id, a)
			l.pending = l.pending[1:]
		}
	}
	return nil
}

// catchUp applies the events since the last. The caller holds actions.mu.
func (f *Fleet) catchUp(ctx context.Context, s *session) error {
	events, complete, err := f.since(ctx, s, f.actions.last)
	switch {
	case err != nil:
		return err
	case !complete:
		return f.mend(ctx, s)
	}
	for _, e := range events {
		f.apply(e)
	}
	return nil
}

// since returns the events after an ID: see Engine.Since.
func (f *Fleet) since(ctx context.Context, s *session, id string) (events []Event, complete bool, err error) {
	err = f.do(ctx, s, slowly*f.opts.Budget, func(ctx context.Context) (err error) {
		events, complete, err = f.opts.Engine.Since(ctx, id)
		return err
	})
	return events, complete, err
}

// apply does an action of another member, and takes over the series. The caller holds
// actions.mu.
func (f *Fleet) apply(e Event) {
	l := &f.actions
	var a Action
	if json.Unmarshal(e.Text, &a) == nil && !l.own[e.ID] {
		if a.Series != "" {
			f.series.Store(new(""))
		}
		if a.Kind == known {
			f.learn(a.last())
		} else {
			f.opts.Apply(a)
		}
	}
	delete(l.own, e.ID)
	l.last = e.ID
	f.take(a.Series)
}

// take begins a series, unless that is empty or a purge of this member is pending. The
// caller holds actions.mu.
func (f *Fleet) take(series string) {
	if series == "" {
		return
	}
	f.actions.pass(series)
	if f.actions.ends() {
		series = ""
	}
	f.series.Store(&series)
}

// position returns the present position of the log. If there is none, the log begins with
// this member's last event of the lost log.
func (f *Fleet) position(ctx context.Context, s *session) (at Position, err error) {
	first, err := json.Marshal(knows(f.actions.last))
	if err != nil {
		return at, err
	}
	err = f.do(ctx, s, slowly*f.opts.Budget, func(ctx context.Context) (err error) {
		at, err = f.opts.Engine.Sync(ctx, rand.Text(), first)
		return err
	})
	return at, err
}

// enter finds this member's place in the log at the begin of a session. In its first
// session it applies the lasting actions of the log; later, the events that it has missed.
func (f *Fleet) enter(ctx context.Context, s *session) error {
	l := &f.actions
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last != "" {
		return f.follow(ctx, s)
	}
	at, err := f.position(ctx, s)
	if err != nil {
		return err
	}
	events, _, err := f.since(ctx, s, beginOfLog)
	if err != nil {
		return err
	}
	for _, e := range events {
		var a Action
		if json.Unmarshal(e.Text, &a) == nil && (a.Kind == Source || a.Kind == Maintenance) {
			f.opts.Apply(a)
		}
	}
	l.last = at.Last
	f.take(at.Series)
	return f.follow(ctx, s)
}

// compare finds out if an event was missed, or the log was lost.
func (f *Fleet) compare(ctx context.Context, s *session) {
	l := &f.actions
	l.mu.Lock()
	defer l.mu.Unlock()
	at, err := f.position(ctx, s)
	if err == nil && (at.Last != l.last || at.Series != *f.series.Load() || len(l.pending) > 0) {
		f.follow(ctx, s)
	}
}
