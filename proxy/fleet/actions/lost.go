package actions

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"slices"

	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
)

// mostRemembered limits the actions and the series that a member remembers.
const mostRemembered = 64

// memory is the part of the log that a member remembers for the case that the log is lost:
// wholly, as by a flush or the restart of a server that saves nothing, or its newest events,
// as by a failover to a replica that had not received them.
type memory struct {
	sent   []sent   // the last actions of this member
	series []string // the last series, the present series at the end
	// before is the newest event that this member knew of a lost log.
	before string
	// reached is the event with which newest goes together.
	reached struct{ id, newest string }
}

// sent is an action of this member with its ID in the log.
type sent struct {
	id string
	Action
}

// remember adds an action of this member.
func (m *memory) remember(id string, a Action) {
	m.sent = append(m.sent, sent{id, a})
	m.sent = m.sent[max(0, len(m.sent)-mostRemembered):]
}

// pass adds a series, unless it is the present series.
func (m *memory) pass(series string) {
	if n := len(m.series); n > 0 && m.series[n-1] == series {
		return
	}
	m.series = append(m.series, series)
	m.series = m.series[max(0, len(m.series)-mostRemembered):]
}

// superseded reports whether another series followed a series.
func (m *memory) superseded(series string) bool {
	i := slices.Index(m.series, series)
	return i >= 0 && i < len(m.series)-1
}

// reach makes an event, with its action, the last event of this member. Messages about a lost
// log, and the return of lasting actions to it, are no newer events: a member that has not
// received them, because the log was lost again, has missed no purge.
func (l *Log) reach(id string, a Action) {
	newest := id
	if a.Kind == known || a.Kind == restored {
		newest = engine.MaxID(l.newest(), a.last())
	}
	l.last, l.reached.id, l.reached.newest = id, id, newest
}

// newest returns the newest event that this member knows, of this log or of a lost log before
// it; empty before the first session.
func (l *Log) newest() string {
	if l.last != "" && l.last == l.reached.id {
		return cmp.Or(l.reached.newest, beginOfLog)
	}
	return l.last
}

// knows returns the action by which a member says which event of a lost log it knows as the
// newest.
func knows(last string) Action {
	data, _ := json.Marshal(last) // a text
	return Action{Kind: known, Data: data}
}

// last returns the event of an action that knows made.
func (a Action) last() (id string) {
	json.Unmarshal(a.Data, &id)
	return id
}

// mend finds this member's place in a log that does not hold its last event. Each log begins
// with the newest event of the log before it that a member knows; the members that know a
// later event say so. Thus a member learns whether it has missed an event: only then all its
// entries become stale. The caller holds mu.
func (l *Log) mend(run Run) error {
	at, err := l.position(run)
	if err != nil {
		return err
	}
	all, _, err := l.since(run, beginOfLog)
	if err != nil || len(all) == 0 {
		return err
	}
	present := map[string]bool{}
	var rest []engine.Event
	begins, heard := false, ""
	for _, e := range all {
		present[e.ID] = true
		if engine.CompareIDs(e.ID, l.last) <= 0 {
			continue
		}
		rest = append(rest, e)
		if a, ok := parse(e); ok && a.Kind == known {
			begins = true
			heard = engine.MaxID(heard, a.last())
		}
	}
	l.resend(all[0].ID, present)
	l.before = l.newest()
	switch older := engine.CompareIDs(l.before, heard); {
	case begins && older > 0:
		l.pending = append([]Action{knows(l.before)}, l.pending...)
	case begins:
		l.learn(heard)
	case len(rest) > 0: // between the last event and the rest there may be others
		l.forget()
	}
	for _, e := range rest {
		l.apply(e)
	}
	l.last = all[len(all)-1].ID
	clear(l.own)
	l.resume(at.Series)
	l.reconcile(at.Lasting)
	return nil
}

// resend makes the actions of this member pending again that a log which begins with an
// event should hold.
func (l *Log) resend(first string, present map[string]bool) {
	l.sent = slices.DeleteFunc(l.sent, func(one sent) bool {
		lost := engine.CompareIDs(one.id, first) > 0 && !present[one.id]
		if lost {
			l.pending = append(l.pending, one.Action)
		}
		return lost
	})
}

// resume takes over the series of a log. If the log has gone back to a series that a purge
// has ended, resume makes the end of the series pending again: the member whose purge it was
// may be gone.
func (l *Log) resume(series string) {
	if l.superseded(series) && !l.ends() {
		l.pending = append(l.pending, Action{Kind: Local, By: l.opts.Name(), Series: rand.Text()})
	}
	l.take(series)
}

// learn compares the last event that another member knows of a lost log with this member's.
func (l *Log) learn(last string) {
	if l.before != "" && engine.CompareIDs(last, l.before) > 0 {
		l.before = last
		l.forget()
	}
}

// forget makes all entries stale.
func (l *Log) forget() {
	l.opts.Logger.Warn("the shared level has lost the log: all entries become stale, because purges may be missing")
	l.opts.Forget()
}
