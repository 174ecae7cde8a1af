// Package notice answers the requests that must wait for the end of maintenance mode.
package notice

import (
	"bytes"
	"path"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/reply"
)

// Handler answers requests in maintenance mode. It is safe for concurrent use.
type Handler struct {
	mode *maintenance.Mode
	page *maintenance.Page
	site bool
}

// New returns a Handler. site reports whether there are files of a site.
func New(mode *maintenance.Mode, site bool) *Handler {
	return &Handler{mode, maintenance.NewPage(), site}
}

// Serve answers a request for the site. A browser that opens or reloads a page gets the
// notice. Serve returns false for a file of a page that is already open, which is served as
// usual.
func (h *Handler) Serve(ctx *fasthttp.RequestCtx, target []byte, period *maintenance.Period) bool {
	switch {
	case !ctx.IsGet() && !ctx.IsHead():
		h.Fail(ctx)
	case opensPage(ctx, target):
		now := time.Now()
		reply.RetryAfter(ctx, period.RetryAfter(now))
		ctx.Response.Header.SetContentType("text/html; charset=utf-8")
		ctx.Response.Header.Set("Content-Security-Policy", h.page.Policy())
		reply.Send(ctx, fasthttp.StatusServiceUnavailable, h.page.Render(period, now))
	case h.site:
		return false
	default:
		h.Fail(ctx)
	}
	return true
}

// opensPage reports whether a request is for a page, not for a file of a page.
func opensPage(ctx *fasthttp.RequestCtx, target []byte) bool {
	extension := path.Ext(string(target))
	return extension == "" || strings.HasPrefix(extension, ".htm") || bytes.Contains(ctx.Request.Header.Peek(fasthttp.HeaderAccept), []byte("text/html"))
}

// Fail answers a request in the format of the API's errors.
func (h *Handler) Fail(ctx *fasthttp.RequestCtx) {
	period, now := h.mode.Period(), time.Now()
	if period == nil {
		period = &maintenance.Period{Until: &now} // it has just ended
	}
	reply.RetryAfter(ctx, period.RetryAfter(now))
	reply.Fail(ctx, fasthttp.StatusServiceUnavailable, "The rankings are closed for maintenance. "+period.Notice(now)+".")
}
