package fleet

import (
	"context"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
)

// goodbye bounds the last message of a member that ends. ahead is the longest wait of a request
// for a publish, and hold of a member for the others, in budgets: 3 s and 250 ms.
const goodbye, ahead, hold = 500 * time.Millisecond, 60, 5

// Rounds returns the votes of this member, or agree.Alone for a nil Fleet.
func (f *Fleet) Rounds() *agree.Rounds {
	if f == nil {
		return agree.Alone()
	}
	return f.rounds
}

// Patience returns the longest wait of a request for a publish by all members; zero if
// there are no others. Others that were there before an outage of the level count until they
// have had the time to return.
func (f *Fleet) Patience() time.Duration {
	if f == nil {
		return 0
	}
	if s := f.link.now.Load(); s == nil || f.members.Len() <= 1 && !(s.others && s.young()) {
		return 0
	}
	return ahead * f.opts.Budget
}

func (f *Fleet) newRounds() *agree.Rounds {
	return agree.New(agree.Options{
		Session: f.lasting, Cast: f.cast, Read: f.decision, Announce: f.announce, Hold: f.opts.Hold, Wake: f.opts.Wake, HoldTime: hold * f.opts.Budget,
	})
}

// lasting returns a context that ends with the present session; nil if there is none.
func (f *Fleet) lasting() context.Context {
	if s := f.link.now.Load(); s != nil {
		return s.ctx
	}
	return nil
}

func (f *Fleet) cast(ctx context.Context, v agree.Vote) (r agree.Result, up bool) {
	if v.Member = f.id; len(v.Name) > engine.MostName || len(v.Data) > engine.MostDecision {
		f.figures.oversized.Add(1)
		return r, false
	}
	up = f.ask(ctx, func(ctx context.Context) (err error) {
		r, err = f.opts.Engine.Vote(ctx, v, lasts)
		return err
	})
	return r, up
}

func (f *Fleet) decision(ctx context.Context) (d agree.Decision, up bool) {
	up = f.ask(ctx, func(ctx context.Context) (err error) {
		d, err = f.opts.Engine.Decision(ctx)
		return err
	})
	return d, up
}

func (f *Fleet) announce(name string) {
	f.ask(context.Background(), func(ctx context.Context) error { return f.opts.Engine.Announce(ctx, name) })
}

// ask runs an operation of the present session. It returns false if the level is away or full.
func (f *Fleet) ask(ctx context.Context, operation func(context.Context) error) (up bool) {
	s := f.link.now.Load()
	return s != nil && f.do(ctx, s, slowly*f.opts.Budget, operation) == nil
}

// leave reports to the others that this member ends, so that they do not wait for it.
func (f *Fleet) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	f.opts.Engine.Leave(ctx, f.id) // without effect if the level is away
}
