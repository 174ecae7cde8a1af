package proxy

import (
	"bytes"
	"path"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// serveNotice answers a request for the site in maintenance mode. A browser that opens
// or reloads a page gets the notice; the files of a page that is already open are
// served as usual.
func (p *Proxy) serveNotice(ctx *fasthttp.RequestCtx, at route.Place, period *maintenance.Period) {
	switch {
	case !ctx.IsGet() && !ctx.IsHead():
		p.failMaintenance(ctx)
	case opensPage(ctx, at.Path):
		now := time.Now()
		reply.RetryAfter(ctx, period.RetryAfter(now))
		ctx.Response.Header.SetContentType("text/html; charset=utf-8")
		ctx.Response.Header.Set("Content-Security-Policy", p.notice.Policy())
		reply.Send(ctx, fasthttp.StatusServiceUnavailable, p.notice.Render(period, now))
	case p.opts.Site != nil:
		p.files.Serve(ctx, at)
	default:
		p.failMaintenance(ctx)
	}
}

// opensPage reports whether a request is for a page, not for a file of a page.
func opensPage(ctx *fasthttp.RequestCtx, target []byte) bool {
	extension := path.Ext(string(target))
	return extension == "" || strings.HasPrefix(extension, ".htm") || bytes.Contains(ctx.Request.Header.Peek(fasthttp.HeaderAccept), []byte("text/html"))
}

// failMaintenance answers, in the format of the API's errors, a request that must wait
// for the end of maintenance mode.
func (p *Proxy) failMaintenance(ctx *fasthttp.RequestCtx) {
	period, now := p.maintenance.Period(), time.Now()
	if period == nil {
		period = &maintenance.Period{Until: &now} // it has just ended
	}
	reply.RetryAfter(ctx, period.RetryAfter(now))
	reply.Fail(ctx, fasthttp.StatusServiceUnavailable, "The rankings are closed for maintenance. "+period.Notice(now)+".")
}
