package admin

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/body"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/verify"
)

// maxVerifyTimeout is the longest time that a request may allow for a comparison.
const maxVerifyTimeout = time.Minute

// timeoutOf returns the longest wait for the answers, or an error that names the
// value at fault.
func timeoutOf(r api.VerifyRequest) (timeout time.Duration, err error) {
	switch {
	case r.Path == "":
		return 0, errors.New("path: a request target is wanted, such as /teams/?limit=10")
	case r.TimeoutMS < 0 || r.TimeoutMS > maxVerifyTimeout.Milliseconds():
		return 0, fmt.Errorf("timeout_ms: want a number from 1 to %d", maxVerifyTimeout.Milliseconds())
	case r.TimeoutMS == 0:
		return verify.DefaultTimeout, nil
	}
	return time.Duration(r.TimeoutMS) * time.Millisecond, nil
}

// noLegacy refuses a comparison without an old API.
const noLegacy = "LEGACY_URL is not set: there is no old API to compare with"

// serveVerify compares the answers of both sources to one request.
func (a *Admin) serveVerify(ctx *fasthttp.RequestCtx) {
	var req api.VerifyRequest
	if !body.Read(ctx, &req) {
		return
	}
	if a.opts.Legacy == nil {
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, noLegacy)
		return
	}
	timeout, err := timeoutOf(req)
	if err != nil {
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, err.Error())
		return
	}
	c, err := a.opts.Verify.Compare(req.Path, timeout)
	switch {
	case errors.Is(err, verify.ErrBusy):
		ctx.Response.Header.Set("Retry-After", "1")
		reply.Fail(ctx, fasthttp.StatusTooManyRequests, err.Error())
	case err != nil:
		body.Send(ctx, fasthttp.StatusOK, api.Comparison{Path: req.Path, Verdict: string(verify.Skipped), Error: err.Error()})
	default:
		body.Send(ctx, fasthttp.StatusOK, newComparison(c))
	}
}

func newComparison(c verify.Comparison) api.Comparison {
	out := api.Comparison{
		Path: c.Path, Key: c.Key, Route: c.Route, Verdict: string(c.Verdict),
		Store: newAnswered(c.Store), Legacy: newAnswered(c.Legacy), Error: c.Error, Expected: c.Expected,
	}
	if d := c.Difference; d != nil {
		out.Difference = &api.Difference{Path: d.Path, Store: d.Store, Legacy: d.Legacy}
	}
	return out
}

func newAnswered(a verify.Answer) api.Answered {
	return api.Answered{Status: a.Status, Bytes: a.Bytes, MS: milliseconds(int64(a.Took))}
}

// verifyStats returns the figures of sampled comparisons.
func (a *Admin) verifyStats() api.Verify {
	s := a.opts.Verify.Stats()
	return api.Verify{Share: s.Share, Verdicts: s.Verdicts, Dropped: s.Dropped}
}

// serveVerifySubjects lists the keys that can be compared.
func (a *Admin) serveVerifySubjects(ctx *fasthttp.RequestCtx) {
	if a.opts.Legacy == nil {
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, noLegacy)
		return
	}
	keys := slices.DeleteFunc(a.opts.Generations.WarmSet(), func(key string) bool {
		r := a.opts.Routes.Of(key)
		return r == nil || !verify.Comparable(r)
	})
	body.Send(ctx, fasthttp.StatusOK, api.VerifySubjects{Keys: append([]string{}, keys...), Sample: a.verifyStats()})
}
