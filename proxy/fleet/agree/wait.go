package agree

import (
	"context"
	"time"
)

// Counts count the publishes of a member since its start.
type Counts struct {
	Together int64 // once all members held requests
	Late     int64 // after HoldTime, when not all held them
	Alone    int64 // without the level
	Forced   int64 // decisions that this member forced, because a member was not ready in time
	Lost     int64 // votes for a generation other than the decision's
}

// Counts returns the counts of this moment.
func (r *Rounds) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

func (r *Rounds) count(one *int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*one++
}

// Agree votes that this member is ready for a generation, which was read after the decision
// after, and waits until it may publish. It returns ErrOther if the fleet has decided for
// another generation, and the error of ctx.
func (r *Rounds) Agree(ctx context.Context, d Decision, after string) error {
	session := r.opts.Session()
	if session == nil {
		r.count(&r.counts.Alone)
		return nil
	}
	vote := Vote{Step: Ready, Name: d.Name, Data: d.Data, After: after}
	timer := time.NewTimer(readyTime)
	defer timer.Stop()
	up := r.cast(session, vote)
	for {
		r.mu.Lock()
		known, changed := r.known, r.changed
		r.mu.Unlock()
		switch {
		case known == d.Name:
			return r.Pass(ctx)
		case known != after:
			r.count(&r.counts.Lost)
			return ErrOther
		case !up:
			r.count(&r.counts.Alone)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-session.Done():
			r.count(&r.counts.Alone)
			return nil
		case <-changed:
		case <-timer.C:
			vote.Force = true
			r.count(&r.counts.Forced)
			up = r.cast(session, vote)
		}
	}
}

// cast votes, and follows the decision that it leads to. It returns false if the level is away.
func (r *Rounds) cast(session context.Context, vote Vote) bool {
	return r.learn(session, func() (Decision, bool) {
		result, ok := r.opts.Cast(session, vote)
		if result.Name == vote.Name {
			result.Data = vote.Data
		}
		return result.Decision, ok
	})
}

// Pass waits until this member may publish the decision that it has to follow: until all
// members hold requests, for HoldTime at most. The error is the error of ctx.
func (r *Rounds) Pass(ctx context.Context) error {
	round := r.Round()
	if round == nil {
		return nil // this member has published it
	}
	timer := time.NewTimer(time.Until(round.since.Add(r.opts.HoldTime)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-round.all:
	case <-timer.C:
	}
	return nil
}
