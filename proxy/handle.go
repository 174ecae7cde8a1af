package proxy

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/health"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/trace"
	"github.com/lewistv/xcri-proxy/store"
)

// handle answers one request of the public listener.
func (p *Proxy) handle(ctx *fasthttp.RequestCtx) {
	p.guard(ctx, p.serve)
}

// markAdmin marks a request of an operator or a supervisor, which does not count as a
// visitor's.
func (p *Proxy) markAdmin(ctx *fasthttp.RequestCtx) { p.traces.Note(ctx).Admin = true }

// guard calls serve for one request, counts the status of the answer, and recovers from a
// panic, which would otherwise close the connection.
func (p *Proxy) guard(ctx *fasthttp.RequestCtx, serve func(*fasthttp.RequestCtx)) {
	defer func() {
		if r := recover(); r != nil {
			p.panicked(string(ctx.RequestURI()), p.traces.Begin(ctx).ID, r)
			ctx.Response.Reset()
			reply.Fail(ctx, fasthttp.StatusInternalServerError, "Internal Server Error")
		}
		if t := p.traces.End(ctx); t == nil || !t.Admin {
			p.metrics.Statuses.Add(ctx.Response.StatusCode())
		}
		if p.stopping.Load() {
			ctx.SetConnectionClose()
		}
	}()
	serve(ctx)
}

// panicked counts and logs a panic during a request. The fast path has no ID for it.
func (p *Proxy) panicked(target, id string, cause any) {
	p.metrics.Panics.Add(1)
	p.opts.Logger.Error("panic in a handler", "target", target, "request_id", id, "panic", cause, "stack", string(debug.Stack()))
}

// serve routes a request. Memoized targets skip parsing.
func (p *Proxy) serve(ctx *fasthttp.RequestCtx) {
	if known := p.targets.Get(ctx.RequestURI()); known != nil && (ctx.IsGet() || ctx.IsHead()) {
		p.serveTarget(ctx, known)
		return
	}
	p.headers.Common(&ctx.Response.Header)
	at := p.router.Locate(ctx.RequestURI())
	if at.Site {
		if period := p.maintenance.Period(); period == nil || !p.notice.Serve(ctx, at.Path, period) {
			p.files.Serve(ctx, at)
		}
		return
	}
	if p.admin.Serve(ctx, at.Path, false) {
		p.markAdmin(ctx)
		return // before any CORS header is set
	}
	p.cors.Apply(ctx)
	if p.cors.Preflight(ctx) {
		return
	}
	if p.health.Probe(ctx, at.Path) {
		p.markAdmin(ctx)
		return
	}
	if string(ctx.RequestURI()) == "*" {
		reply.Allow(ctx)
		return
	}
	m := p.router.Match(at.Path, at.Query)
	if m != nil {
		defer m.Release()
	}
	if m == nil || !ctx.IsGet() && !ctx.IsHead() && !ctx.IsOptions() {
		p.traces.Begin(ctx)
	}
	switch {
	case m == nil && !at.Root() && p.maintenance.On():
		p.notice.Fail(ctx)
	case m == nil && !at.Root():
		p.pass.Serve(ctx, at)
	case ctx.IsOptions():
		reply.Allow(ctx)
	case !ctx.IsGet() && !ctx.IsHead():
		ctx.Response.Header.Set(fasthttp.HeaderAllow, reply.Allowed)
		reply.Fail(ctx, fasthttp.StatusMethodNotAllowed, "Method Not Allowed")
	case m == nil:
		p.health.Serve(ctx, health.Root)
	case m.Route.Path() == route.HealthPath:
		p.health.Serve(ctx, health.Page)
	default:
		p.serveRoute(ctx, m)
	}
}

// serveRoute answers a request of the read API, or refuses its parameters.
func (p *Proxy) serveRoute(ctx *fasthttp.RequestCtx, m *route.Match) {
	key := m.Key()
	if key == nil {
		p.metrics.Rejected.Add(1)
		p.traces.Begin(ctx)
		reply.Send(ctx, fasthttp.StatusUnprocessableEntity, m.Refusal())
		return
	}
	t := &target{route: m.Route, ref: cache.Ref{Key: string(key)}}
	t.tags = p.copies.Tags(t.ref.Key)
	if p.serveTarget(ctx, t) == cache.Hit {
		p.targets.Put(ctx.RequestURI(), t)
	}
}

// target is the parsed form of a request target. It depends on the target alone, so
// that a memoized target need not be parsed again.
type target struct {
	route *route.Route
	ref   cache.Ref
	tags  []byte // for caches in front, without the minute of the fill; nil means none
}

// serveTarget answers from the cache, which fills a missing entry.
func (p *Proxy) serveTarget(ctx *fasthttp.RequestCtx, known *target) cache.Outcome {
	entry, outcome, err := p.answer(ctx, &known.ref)
	for err == nil && !p.respond(ctx, entry, outcome) {
		entry, outcome, err = p.answer(ctx, &known.ref) // the entry has left the cache
	}
	if err == nil {
		p.copies.Mark(ctx, known.tags, entry, outcome)
	}
	if t := p.traceOf(ctx, outcome); t != nil {
		t.Outcome, t.Route, t.Key = outcome.String(), known.route.Path(), known.ref.Key
	}
	if err != nil {
		p.failQuestion(ctx, known.route, err)
	}
	if outcome == cache.Hit {
		p.observe(ctx, entry)
	}
	p.metrics.Route(known.route.ID).Answered(outcome, time.Since(ctx.Time()))
	return outcome
}

// traceOf returns the trace of a request, or nil: a request that is answered from the
// cache is not traced, and noted only while the traces are watched.
func (p *Proxy) traceOf(ctx *fasthttp.RequestCtx, outcome cache.Outcome) *trace.Trace {
	switch {
	case outcome == cache.Miss, outcome == cache.Coalesced, outcome == cache.Error:
		return p.traces.Begin(ctx)
	case p.traces.Watched():
		return p.traces.Note(ctx)
	}
	return nil
}

// answer looks ref up in the cache. Outside maintenance mode the cache fills a missing
// entry and refreshes a stale one. A nil ctx means that the proxy itself needs the
// answer.
func (p *Proxy) answer(ctx *fasthttp.RequestCtx, ref *cache.Ref) (*cache.Entry, cache.Outcome, error) {
	if !p.maintenance.On() {
		if e, outcome := p.cache.Lookup(ref); e != nil {
			return e, outcome, nil
		}
		return p.await(ctx, ref)
	}
	sight := p.cache.Peek(ref)
	if sight.Entry == nil {
		return nil, cache.Error, maintenance.ErrOn
	}
	p.cache.Count(ref)
	return sight.Entry, sight.Outcome, nil
}

// tables returns the numbers of rows, from the cache.
func (p *Proxy) tables() ([]byte, error) {
	entry, _, err := p.answer(nil, &cache.Ref{Key: route.HealthPath})
	if err != nil {
		return nil, err
	}
	return entry.Variants[content.Identity].Body, nil
}

// fill loads the answer of a key from its origin.
func (p *Proxy) fill(ctx context.Context, key string) (cache.Content, error) {
	q, err := p.router.Question(key)
	if err != nil {
		return cache.Content{}, err
	}
	defer p.opts.Lull.Begin()()
	timer, failed := p.metrics.Route(q.Route.ID).Fills.Start(), true
	defer func() { // also after a panic
		if failed {
			timer.Fail()
		}
	}()
	clock := phase.Of(ctx)
	answer, err := p.origins.Load(store.WithMeter(ctx, origin.Meter{Clock: clock}), q)
	if err != nil {
		if isDown(err) {
			p.generations.Wake() // poll soon, since the database may be back
		}
		return cache.Content{}, err
	}
	clock.Begin(phase.Compress)
	defer clock.Begin(phase.Load)
	filled := cache.Content{
		Status: answer.Status, Size: len(answer.Body), Variants: content.Variants(answer.Body),
		Scope: q.Query.Scope().String(), Generation: answer.Generation,
	}
	timer.Stop()
	failed = false
	return filled, nil
}

// loaded counts a load, and passes the database's answers to the comparison of
// samples.
func (p *Proxy) loaded(l origin.Load) {
	counted := &p.metrics.Route(l.Question.Route.ID).Loads[l.Source]
	if l.Err != nil {
		counted.Failed.Add(1)
		if !errors.Is(l.Err, context.Canceled) { // its client has left, or the program stops
			p.metrics.LastFailure.Store(&metrics.Failure{At: time.Now(), Route: l.Question.Route.Path(), Err: l.Err})
		}
		return
	}
	counted.OK.Add(1)
	if l.Source == origin.FromStore {
		p.verify.Offer(l.Question, l.Answer)
	}
}

// isDown reports whether an error of a load means an outage of the database.
func isDown(err error) bool {
	return errors.Is(err, store.ErrUnavailable)
}
