package proxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/route"
)

const (
	// verifyTimeout bounds one comparison unless its request says otherwise;
	// longestVerify is the most that it may say.
	verifyTimeout, longestVerify = 30 * time.Second, time.Minute
	// verifyTurns is how many comparisons may be asked for at once: each takes a
	// connection to the database and one to the old API.
	verifyTurns = 2
)

// hasSpare reports whether the database can be asked without the connection that
// is kept for its generation.
func (p *Proxy) hasSpare() bool {
	pool := p.opts.Origin.Stats()
	return pool.Limit == 0 || pool.InUse < max(1, pool.Limit-1)
}

// timeoutOf returns the longest wait for the answers, or an error that names the
// value at fault.
func timeoutOf(r api.VerifyRequest) (timeout time.Duration, err error) {
	switch {
	case r.Path == "":
		return 0, errors.New("path: a request target is wanted, such as /teams/?limit=10")
	case r.TimeoutMS < 0 || r.TimeoutMS > longestVerify.Milliseconds():
		return 0, fmt.Errorf("timeout_ms: want a number from 1 to %d", longestVerify.Milliseconds())
	case r.TimeoutMS == 0:
		return verifyTimeout, nil
	}
	return time.Duration(r.TimeoutMS) * time.Millisecond, nil
}

// noLegacy tells those who want a comparison what there is none with.
const noLegacy = "LEGACY_URL is not set: there is no old API to compare with"

// serveVerify compares what both sources say to one request.
func (p *Proxy) serveVerify(ctx *fasthttp.RequestCtx) {
	var req api.VerifyRequest
	if !p.readJSON(ctx, &req) {
		return
	}
	if p.opts.Legacy == nil {
		p.fail(ctx, fasthttp.StatusUnprocessableEntity, noLegacy)
		return
	}
	timeout, err := timeoutOf(req)
	if err != nil {
		p.fail(ctx, fasthttp.StatusUnprocessableEntity, err.Error())
		return
	}
	select {
	case p.verify.turns <- struct{}{}:
		defer func() { <-p.verify.turns }()
	default:
		p.failBusy(ctx, fmt.Sprintf("%d comparisons are running, the most at once", verifyTurns))
		return
	}
	v, err := p.verification(req.Path)
	switch {
	case err != nil:
		p.sendJSON(ctx, fasthttp.StatusOK, api.Comparison{Path: req.Path, Verdict: string(verdictSkipped), Error: err.Error()})
	case !p.hasSpare():
		p.failBusy(ctx, "all connections to the database are in use")
	default:
		asking, cancel := context.WithTimeout(p.verify.ctx, timeout)
		defer cancel()
		p.sendJSON(ctx, fasthttp.StatusOK, p.compareSources(asking, v).toAPI())
	}
}

func (p *Proxy) failBusy(ctx *fasthttp.RequestCtx, why string) {
	ctx.Response.Header.Set("Retry-After", "1")
	p.fail(ctx, fasthttp.StatusTooManyRequests, why+"; try again in a moment")
}

// serveVerifySubjects shows what there is to compare.
func (p *Proxy) serveVerifySubjects(ctx *fasthttp.RequestCtx) {
	if p.opts.Legacy == nil {
		p.fail(ctx, fasthttp.StatusUnprocessableEntity, noLegacy)
		return
	}
	keys := slices.DeleteFunc(p.generations.WarmSet(), func(key string) bool { return key == route.HealthPath })
	out := api.VerifySubjects{Keys: append([]string{}, keys...), Sample: p.verifyStats()}
	p.sendJSON(ctx, fasthttp.StatusOK, out)
}
