package fleettest

import (
	"bytes"
	"context"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
)

// votes are the decision, and the members that have voted, by step and name.
type votes struct {
	decision agree.Decision
	of       map[string]map[string]bool
}

func (e *engine) Vote(ctx context.Context, v agree.Vote, lasts time.Duration) (r agree.Result, err error) {
	err = e.do(ctx, func() error {
		if e.state == Full {
			return fleet.ErrFull
		}
		d := &e.votes.decision
		if d.Name != "" && d.Name != v.Name && (v.Step != agree.Ready || d.Name != v.After) {
			r.Decision = agree.Decision{Name: d.Name, Data: bytes.Clone(d.Data)}
			return nil
		}
		name := string(v.Step) + " " + v.Name
		if e.votes.of == nil {
			e.votes.of = map[string]map[string]bool{}
		}
		if e.votes.of[name] == nil {
			e.votes.of[name] = map[string]bool{}
		}
		e.votes.of[name][v.Member], r.All = true, true
		for id, m := range e.members {
			r.All = r.All && (e.votes.of[name][id] || time.Since(m.at) > lasts)
		}
		switch {
		case v.Step == agree.Ready && d.Name != v.Name && (r.All || v.Force):
			*d = agree.Decision{Name: v.Name, Data: bytes.Clone(v.Data)}
			delete(e.votes.of, name)
			e.publish(fleet.Decided, v.Name)
		case v.Step == agree.Held && r.All:
			delete(e.votes.of, name)
			e.publish(fleet.Held, v.Name)
		}
		r.Name = d.Name
		return nil
	})
	return r, err
}

func (e *engine) Decision(ctx context.Context) (d agree.Decision, err error) {
	err = e.do(ctx, func() error {
		d = agree.Decision{Name: e.votes.decision.Name, Data: bytes.Clone(e.votes.decision.Data)}
		return nil
	})
	return d, err
}

func (e *engine) Announce(ctx context.Context, name string) error {
	return e.do(ctx, func() error { e.publish(fleet.Seen, name); return nil })
}

func (e *engine) Leave(ctx context.Context, member string) error {
	return e.do(ctx, func() error { delete(e.members, member); return nil })
}
