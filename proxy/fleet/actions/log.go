package actions

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"

	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
	"github.com/lewistv/xcri-proxy/proxy/fleet/series"
)

// beginOfLog is before every ID.
const beginOfLog = "0-0"

// follow adds the pending actions to the log, and applies the events of other members. The
// caller holds mu.
func (l *Log) follow(run Run) error {
	for {
		if err := l.send(run); err != nil {
			return err
		}
		if err := l.catchUp(run); err != nil || len(l.pending) == 0 && !l.behind() {
			return err
		}
	}
}

// send adds the pending actions, and lasting actions that the level lacks, to the log. The
// caller holds mu.
func (l *Log) send(run Run) error {
	for {
		a, ok := l.next()
		if !ok {
			return nil
		}
		id, err := l.add(run, a)
		switch {
		case errors.Is(err, engine.ErrMoved): // another member has purged
			if err := l.moved(run); err != nil {
				return err
			}
		case err != nil:
			return err
		case id == "":
			if err := l.mend(run); err != nil {
				return err
			}
		case a.Kind == restored:
			l.own[id] = true
		default:
			l.own[id] = true
			l.remember(id, a)
			l.pending = l.pending[1:]
		}
	}
}

// add adds an action to the log, unless the texts have changed: an action with a series
// changes the series that this member knows, and a lasting action the level's list.
func (l *Log) add(run Run, a Action) (id string, err error) {
	present, next := engine.Texts{Series: l.text, Lasting: l.level}, engine.Texts{}
	if a.Series != "" {
		a.Series = l.parse(l.text).After(series.Cut{ID: a.Series, Kind: a.Kind, Data: a.Data})
		next.Series = a.Series
	}
	if (lasts(a.Kind) || a.Kind == restored) && l.behind() {
		next.Lasting = l.fleet.text()
	}
	if a.Kind == restored {
		a.Data = json.RawMessage(next.Lasting)
	}
	text, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	moved := false
	err = run(func(ctx context.Context) (err error) {
		id, err = l.opts.Engine.Append(ctx, text, present, next)
		if moved = errors.Is(err, engine.ErrMoved); moved {
			return nil // the level is not away
		}
		return err
	})
	if moved {
		return "", engine.ErrMoved
	}
	if err == nil && id != "" {
		l.text, l.level = cmp.Or(next.Series, l.text), cmp.Or(next.Lasting, l.level)
	}
	return id, err
}

// moved learns the texts that this member did not know. A series without an event is of a
// log that was lost, or was written by another program.
func (l *Log) moved(run Run) error {
	if err := l.catchUp(run); err != nil {
		return err
	}
	at, err := l.position(run)
	if err != nil {
		return err
	}
	if at.Last == l.last {
		l.text = at.Series
	}
	l.reconcile(at.Lasting)
	return nil
}

// catchUp applies the events since the last. The caller holds mu.
func (l *Log) catchUp(run Run) error {
	events, complete, err := l.since(run, l.last)
	switch {
	case err != nil:
		return err
	case !complete:
		return l.mend(run)
	}
	for _, e := range events {
		l.apply(e)
	}
	return nil
}

// since returns the events after an ID: see engine.Engine.
func (l *Log) since(run Run, id string) (events []engine.Event, complete bool, err error) {
	err = run(func(ctx context.Context) (err error) {
		events, complete, err = l.opts.Engine.Since(ctx, id)
		return err
	})
	return events, complete, err
}

// apply does the action of an event unless this member has made it, and takes over the
// series. The caller holds mu.
func (l *Log) apply(e engine.Event) {
	a, ok := parse(e)
	if ok && !l.own[e.ID] {
		if a.Series != "" {
			l.series.Store(nil)
		}
		l.do(a)
	}
	delete(l.own, e.ID)
	l.reach(e.ID, a)
	l.take(a.Series)
}

// do does an action of another member. An action that lasts has changed the level's list.
func (l *Log) do(a Action) {
	switch lasting := lastingOf(a); {
	case lasting != nil:
		l.hear(lasting)
		l.level = l.fleet.text()
	case a.Kind == known:
		l.learn(a.last())
	default:
		l.opts.Apply(a)
	}
}

// take begins a series, unless its text is empty. The member uses it unless a purge of this
// member is pending. The caller holds mu.
func (l *Log) take(text string) {
	if text == "" {
		return
	}
	l.text = text
	l.pass(text)
	if l.ends() {
		l.series.Store(nil)
		return
	}
	l.series.Store(l.parse(text))
}

func (l *Log) parse(text string) *series.Series { return series.Parse(text, l.opts.Selector) }

// position returns the present position of the log. If there is none, the log begins with
// this member's newest event of the lost log.
func (l *Log) position(run Run) (at engine.Position, err error) {
	first, err := json.Marshal(knows(l.newest()))
	if err != nil {
		return at, err
	}
	err = run(func(ctx context.Context) (err error) {
		at, err = l.opts.Engine.Sync(ctx, rand.Text(), first)
		return err
	})
	return at, err
}
