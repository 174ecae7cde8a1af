package trace

import (
	"fmt"
	"math"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// maxText limits the texts of a client in a record, in bytes, except for the target: that
// fits the head of a request.
const maxText = 1 << 10

// record describes a request whose answer was sent.
func (ts *Traces) record(ctx *fasthttp.RequestCtx, t *Trace, took, sending time.Duration) *api.Request {
	in := &ctx.Request.Header
	r := &api.Request{
		At: ctx.Time(), Status: ctx.Response.StatusCode(), Bytes: bodySize(ctx), Outcome: t.Outcome, TookMS: milliseconds(took), ID: t.ID,
		Asked:  api.Asked{Method: printable(in.Method()), Target: printable(ctx.RequestURI()), Proto: string(in.Protocol()), Route: t.Route, Key: t.Key, Admin: t.Admin},
		Sender: api.Sender{Referer: short(in.Referer()), Agent: short(in.UserAgent())},
	}
	if client := ts.opts.Trust.Of(ctx).Address; client.IsValid() {
		r.Client = client.String()
	}
	if t.Fill != nil {
		times := t.Fill.Times()
		r.Phases = NewPhases(&times)
	} else if t.ID != "" {
		r.Phases = &api.Phases{}
	}
	if r.Phases != nil {
		r.Phases.Write = milliseconds(sending)
	}
	return r
}

// bodySize returns the size of the body that was sent; -1 if it is not known.
func bodySize(ctx *fasthttp.RequestCtx) int64 {
	status := ctx.Response.StatusCode()
	if ctx.IsHead() || status == fasthttp.StatusNoContent || status == fasthttp.StatusNotModified || status < fasthttp.StatusOK {
		return 0
	}
	return max(-1, int64(ctx.Response.Header.ContentLength()))
}

// NewPhases returns the phases of a fill.
func NewPhases(t *phase.Times) *api.Phases {
	ms := func(p phase.Phase) float64 { return milliseconds(t[p]) }
	return &api.Phases{
		Queue: ms(phase.Queue), Shared: ms(phase.Shared), Load: ms(phase.Load), Connection: ms(phase.Connection), Query: ms(phase.Query), Rows: ms(phase.Rows),
		Encode: ms(phase.Encode), Legacy: ms(phase.Legacy), Compress: ms(phase.Compress),
	}
}

// milliseconds rounds to microseconds.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}

// printable percent-encodes the bytes of a text that a target may not hold, so that the
// text is one word in any log.
func printable(text []byte) string {
	clean := true
	for _, c := range text {
		clean = clean && isPrintable(c)
	}
	if clean {
		return string(text)
	}
	var out []byte
	for _, c := range text {
		if isPrintable(c) {
			out = append(out, c)
		} else {
			out = fmt.Appendf(out, "%%%02X", c)
		}
	}
	return string(out)
}

func isPrintable(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '\\' }

// short cuts a text that is too long.
func short(text []byte) string { return string(text[:min(len(text), maxText)]) }

// appendTiming appends the value of Server-Timing: the phases that took any time, in
// milliseconds, and the time from the request to its answer.
// Source: https://www.w3.org/TR/server-timing/
func appendTiming(to []byte, times phase.Times, total time.Duration) []byte {
	for p, took := range times {
		if took > 0 {
			to = fmt.Appendf(to, "%s;dur=%.3f, ", phase.Phase(p), milliseconds(took))
		}
	}
	return fmt.Appendf(to, "total;dur=%.3f", milliseconds(total))
}
