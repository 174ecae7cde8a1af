package fleet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
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
	lost    bool            // the log was lost since the begin of the session
	own     map[string]bool // IDs of this member's events, which are applied already
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
	l := &f.actions
	for len(l.pending) > 0 {
		a := l.pending[0]
		text, err := json.Marshal(a)
		if err != nil {
			return err
		}
		err = f.do(ctx, s, slowly*f.opts.Budget, func(ctx context.Context) error {
			id, err := f.opts.Engine.Append(ctx, text, a.Series)
			if err == nil {
				l.own[id] = true
			}
			return err
		})
		if err != nil {
			return err
		}
		l.pending = l.pending[1:]
	}
	return f.catchUp(ctx, s)
}

// catchUp applies the events since the last. If the log does not hold the last any more,
// catchUp takes the present position. The caller holds actions.mu.
func (f *Fleet) catchUp(ctx context.Context, s *session) error {
	l := &f.actions
	var events []Event
	var complete bool
	err := f.do(ctx, s, slowly*f.opts.Budget, func(ctx context.Context) (err error) {
		events, complete, err = f.opts.Engine.Since(ctx, l.last)
		return err
	})
	if err != nil {
		return err
	}
	if !complete {
		l.lost = true
		return f.resume(ctx, s)
	}
	for _, e := range events {
		var a Action
		if json.Unmarshal(e.Text, &a) == nil && !l.own[e.ID] {
			if a.Series != "" {
				f.series.Store(new(""))
			}
			f.opts.Apply(a)
		}
		delete(l.own, e.ID)
		l.last = e.ID
		if a.Series != "" {
			f.series.Store(&a.Series)
		}
	}
	return nil
}

// resume takes the present position of the log, without the events before it: the log was
// lost, or this member was away for too long.
func (f *Fleet) resume(ctx context.Context, s *session) error {
	var at Position
	err := f.do(ctx, s, slowly*f.opts.Budget, func(ctx context.Context) (err error) {
		at, err = f.opts.Engine.Sync(ctx, rand.Text())
		return err
	})
	if err != nil {
		return err
	}
	f.series.Store(&at.Series)
	f.actions.last = at.Last
	return nil
}

// enter finds this member's place in the log at the begin of a session. In its first
// session it applies the lasting actions of the log; later, the events that it has missed.
// If it can't know these, its entries become stale.
func (f *Fleet) enter(ctx context.Context, s *session) error {
	l := &f.actions
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last != "" {
		l.lost = false
		err := f.follow(ctx, s)
		if l.lost {
			f.opts.Logger.Warn("the shared level has lost the log: all entries become stale, because purges may be missing")
			f.opts.Forget()
		}
		return err
	}
	if err := f.resume(ctx, s); err != nil {
		return err
	}
	err := f.do(ctx, s, slowly*f.opts.Budget, func(ctx context.Context) error {
		events, _, err := f.opts.Engine.Since(ctx, beginOfLog)
		for _, e := range events {
			var a Action
			if json.Unmarshal(e.Text, &a) == nil && (a.Kind == Source || a.Kind == Maintenance) {
				f.opts.Apply(a)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return f.follow(ctx, s)
}

// compare finds out if an event was missed, or the log was lost while this member was
// connected, so that it has missed nothing.
func (f *Fleet) compare(ctx context.Context, s *session) {
	l := &f.actions
	l.mu.Lock()
	defer l.mu.Unlock()
	var at Position
	err := f.do(ctx, s, slowly*f.opts.Budget, func(ctx context.Context) (err error) {
		at, err = f.opts.Engine.Sync(ctx, rand.Text())
		return err
	})
	if err == nil && (at.Last != l.last || at.Series != *f.series.Load()) {
		f.follow(ctx, s)
	}
}
