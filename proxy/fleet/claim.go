package fleet

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/snapshot"
	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
	"github.com/lewistv/xcri-proxy/proxy/fleet/patience"
	"github.com/lewistv/xcri-proxy/proxy/fleet/series"
	"github.com/lewistv/xcri-proxy/proxy/fleet/waits"
)

var _ cache.Shared = (*Fleet)(nil)

// claim is the lock of a fill, which this member holds.
type claim struct {
	f      *Fleet
	s      *session
	series *series.Series
	name   string
	token  string
	key    string
	state  State
	ended  func()            // ends the renewals of the lease
	budget time.Duration     // of the lookups; longer for a generation that is not published yet, as no visitor waits for it
	left   *patience.Account // of the budget, since the begin or the last wait for another member
}

// unshared ends the fill of an answer without a claim.
func unshared(*cache.Saved) {}

// Claim is a method of cache.Shared.
func (f *Fleet) Claim(ctx context.Context, g cache.Generation, key string) (found *cache.Saved, done func(*cache.Saved)) {
	s, names := f.link.now.Load(), f.actions.Series()
	if s == nil || names == nil {
		f.figures.skipped.Add(1)
		return nil, unshared
	}
	state := f.opts.State(g, key)
	if state.Generation == "" {
		return nil, unshared
	}
	c := &claim{f: f, s: s, series: names, key: key, state: state, token: f.id + rand.Text(), budget: f.opts.Budget}
	if now := f.opts.Published(); now != nil && now.ID() != g.ID() {
		c.budget *= slowly // in a large fleet, all members load the answers concurrently
	}
	c.name, c.left = f.name(names, key, state.Generation, state.Data), f.patience(c.budget)
	ctx, leave := c.while(ctx)
	defer leave()
	for ctx.Err() == nil {
		found, claimed, again := c.try(ctx)
		switch {
		case found != nil:
			f.figures.hits.Add(1)
			return found, nil
		case claimed:
			f.figures.misses.Add(1)
			c.renew()
			return nil, c.done
		case !again:
			return nil, unshared
		}
	}
	return nil, unshared
}

// while returns a context that ends with ctx or the session: once the circuit breaker opens,
// no lookup goes on.
func (c *claim) while(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(c.s.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// try looks the answer up and tries to get the lock. If another member has the lock, try
// waits until the member releases it, its lease ends, or the session ends.
func (c *claim) try(ctx context.Context) (found *cache.Saved, claimed, again bool) {
	filled, leave := c.f.waits.Join(c.name) // before the lookup: the message may follow immediately
	defer leave()
	var got Claim
	err := c.f.spend(ctx, c.s, c.left, func(ctx context.Context) (err error) {
		got, err = c.f.opts.Engine.Claim(ctx, c.name, c.token, lease*c.f.opts.Budget, c.state.Sure)
		return err
	})
	switch {
	case err != nil:
		return nil, false, false
	case got.Claimed:
		return nil, true, false
	case got.Value != nil:
		if found := c.parse(got.Value); found != nil {
			c.f.figures.read.Add(int64(len(got.Value)))
			return found, false, false
		}
		c.f.figures.damaged.Add(1)
		err := c.f.spend(ctx, c.s, c.left, func(ctx context.Context) error { return c.f.opts.Engine.Drop(ctx, c.name) })
		return nil, false, err == nil
	}
	c.f.figures.waited.Add(1)
	if c.budget == c.f.opts.Budget {
		defer c.f.waits.Block()()
	}
	waits.Await(ctx, filled, got.Left)
	c.left = c.f.patience(c.budget)
	return nil, false, true
}

// parse returns the answer that a value holds; nil if it is not an answer to the key in the
// state of the claim.
func (c *claim) parse(value []byte) *cache.Saved {
	if len(value) < headBytes {
		return nil
	}
	s, err := snapshot.ParseRecord(value[headBytes:])
	if err != nil || s.Key != c.key || s.Generation != c.state.Generation || !c.f.opts.Usable(&s) {
		return nil
	}
	return &s
}

// renew renews the lease in the background until the claim or the session ends.
func (c *claim) renew() {
	ctx, ended := context.WithCancel(c.s.ctx)
	c.ended = ended
	go waits.Renew(ctx, lease*c.f.opts.Budget, func() {
		c.f.do(context.Background(), c.s, slowly*c.f.opts.Budget, func(ctx context.Context) error {
			return c.f.opts.Engine.Extend(ctx, c.name, c.token, lease*c.f.opts.Budget)
		})
	})
}

// done ends the claim in the background: it shares the answer and releases the lock. A nil
// answer is not shared.
func (c *claim) done(answer *cache.Saved) {
	c.ended()
	if answer != nil && answer.Generation == "" || answer != nil && !c.f.opts.Usable(answer) {
		answer = nil
	}
	c.f.ends.Go(func() { c.end(answer) })
}

// end stores the answer under the state that it was read from, which may be newer than the
// state of the claim, and releases the lock.
func (c *claim) end(answer *cache.Saved) {
	ctx, engine := context.Background(), c.f.opts.Engine
	name, token := c.name, c.token
	if answer != nil && answer.Generation != c.state.Generation {
		name, token = c.f.name(c.series, c.key, answer.Generation, c.state.Data), ""
	}
	if answer == nil || !c.f.put(ctx, c.s, put{name, token, answer, c.state}) || token == "" {
		c.f.do(ctx, c.s, slowly*c.f.opts.Budget, func(ctx context.Context) error { return engine.Release(ctx, c.name, c.token) })
	}
}

// put is an answer to be stored under a name, whose lock the token may have.
type put struct {
	name, token string
	answer      *cache.Saved
	state       State
}

// put stores an answer, and releases the lock of its name if the token has it. It reports
// whether it called the engine.
func (f *Fleet) put(ctx context.Context, s *session, p put) bool {
	record, err := snapshot.Record(p.answer)
	if err != nil || headBytes+len(record) > engine.MostValue {
		f.figures.oversized.Add(1)
		return false
	}
	value := append(head(p.state.Sure, f.opts.Rank(&p.answer.Content)), record...)
	keep := ttl
	if p.state.MaxAge > 0 {
		keep = min(keep, p.state.MaxAge)
	}
	err = f.do(ctx, s, slowly*f.opts.Budget, func(ctx context.Context) error { return f.opts.Engine.Put(ctx, p.name, p.token, value, keep) })
	if err == nil {
		f.figures.puts.Add(1)
		f.figures.written.Add(int64(len(value)))
	}
	return true
}

// name returns the name of an answer. The part in braces keeps the names of a key in one
// slot of a cluster.
func (f *Fleet) name(s *series.Series, key, generation, data string) string {
	return "answer:" + s.Of(key) + ":{" + digest(key) + "}:" + digest(f.opts.Maker, generation, data)
}

// digest returns a short text that differs for different texts.
func digest(texts ...string) string {
	sum := sha256.New()
	for _, text := range texts {
		one := sha256.Sum256([]byte(text))
		sum.Write(one[:])
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// A value consists of a byte for whether the answer is sure, a digit for its rank, and the
// record.
const (
	sureByte, unsureByte = '1', '0'
	headBytes            = 2
)

// head returns the first bytes of a value.
func head(sure bool, rank int) []byte {
	first := byte(unsureByte)
	if sure {
		first = sureByte
	}
	return []byte{first, byte('0' + min(max(rank, 0), 9))}
}
