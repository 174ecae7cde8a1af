// Package cors allows pages of other sites to read the answers.
package cors

import (
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// Policy allows pages of some other sites to read the answers, with credentials, as the
// old API does. It is immutable. Source: Starlette's CORSMiddleware.
type Policy struct {
	origins []string
	all     bool
}

// New returns the policy that allows origins; "*" allows all.
func New(origins []string) Policy {
	return Policy{origins: origins, all: slices.Contains(origins, "*")}
}

func (c *Policy) allows(origin []byte) bool {
	return c.all || slices.ContainsFunc(c.origins, func(o string) bool { return o == string(origin) })
}

// headerOrigin is the name of the header in its canonical form.
var headerOrigin = []byte("Origin")

// methods are the methods that a page of another site may use.
var methods = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

// Apply adds the header fields for a page of another site that is allowed.
func (c *Policy) Apply(ctx *fasthttp.RequestCtx) {
	if len(c.origins) == 0 {
		return
	}
	origin := ctx.Request.Header.PeekCanonical(headerOrigin)
	if len(origin) == 0 || !c.allows(origin) {
		return
	}
	// With credentials a browser accepts its own origin only, not a star.
	ctx.Response.Header.SetBytesV(fasthttp.HeaderAccessControlAllowOrigin, origin)
	ctx.Response.Header.Set(fasthttp.HeaderAccessControlAllowCredentials, "true")
}

// Preflight answers a browser that asks whether a page may send a request. It returns
// false for any other request.
func (c *Policy) Preflight(ctx *fasthttp.RequestCtx) bool {
	h := &ctx.Request.Header
	origin := h.Peek(fasthttp.HeaderOrigin)
	if !ctx.IsOptions() || len(origin) == 0 || len(h.Peek(fasthttp.HeaderAccessControlRequestMethod)) == 0 {
		return false
	}
	out := &ctx.Response.Header
	out.Set(fasthttp.HeaderAccessControlAllowMethods, strings.Join(methods, ", "))
	out.Set(fasthttp.HeaderAccessControlMaxAge, "600")
	if asked := h.Peek(fasthttp.HeaderAccessControlRequestHeaders); len(asked) > 0 {
		out.SetBytesV(fasthttp.HeaderAccessControlAllowHeaders, asked)
	}
	out.SetContentType("text/plain; charset=utf-8")
	var refused []string
	if !c.allows(origin) {
		refused = append(refused, "origin")
	}
	if !slices.Contains(methods, string(h.Peek(fasthttp.HeaderAccessControlRequestMethod))) {
		refused = append(refused, "method")
	}
	if len(refused) > 0 {
		ctx.Response.SetStatusCode(fasthttp.StatusBadRequest)
		ctx.Response.SetBodyString("Disallowed CORS " + strings.Join(refused, ", "))
		return true
	}
	ctx.Response.SetBodyString("OK")
	return true
}
