package proxy

import (
	"fmt"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
)

const contentJSON = "application/json"

// Header names in the form in which they are sent, so that nothing rewrites
// them on the way.
var (
	headerAge          = []byte("Age")
	headerCacheControl = []byte("Cache-Control")
	headerCacheStatus  = []byte("Cache-Status")
	headerETag         = []byte("Etag")
	headerVary         = []byte("Vary")
)

// headers are the values that are the same for many answers.
type headers struct {
	cacheControl []byte
	vary         []byte
	security     [][2][]byte
}

func newHeaders(opts Options) headers {
	h := headers{
		cacheControl: fmt.Appendf(nil, "public, max-age=%d, stale-while-revalidate=%d",
			int(opts.MaxAge.Seconds()), int(opts.StaleWhileRevalidate.Seconds())),
		vary: []byte("Accept-Encoding, Origin"),
	}
	for _, kv := range [][2]string{
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "strict-origin-when-cross-origin"},
		{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
	} {
		h.security = append(h.security, [2][]byte{[]byte(kv[0]), []byte(kv[1])})
	}
	return h
}

// common sets what every answer carries.
func (h *headers) common(to *fasthttp.ResponseHeader) {
	for i := range h.security {
		to.SetCanonical(h.security[i][0], h.security[i][1])
	}
	to.SetContentType(contentJSON)
	to.SetCanonical(headerVary, h.vary)
}

// send answers with a body that is not for any cache.
func (h *headers) send(ctx *fasthttp.RequestCtx, status int, body []byte) {
	ctx.Response.SetStatusCode(status)
	ctx.Response.Header.SetCanonical(headerCacheControl, []byte("no-store"))
	ctx.Response.SetBodyRaw(body)
}

// cacheStatus holds the Cache-Status of each outcome. Its detail is the
// outcome's name. Source: RFC 9211.
var cacheStatus = func() (texts [cache.Outcomes][]byte) {
	for o, text := range map[cache.Outcome]string{
		cache.Hit: "hit", cache.Stale: "hit", cache.StaleError: "hit",
		cache.Miss: "fwd=miss; stored", cache.Coalesced: "fwd=miss; collapsed",
		cache.Pass: "fwd=bypass", cache.Error: "fwd=miss",
	} {
		texts[o] = fmt.Appendf(nil, "xcri-proxy; %s; detail=%s", text, o)
	}
	return texts
}()

func statusOf(o cache.Outcome) []byte { return cacheStatus[o] }

// respond sends an entry in the form that the client likes best, or says that
// the client has it already.
func (p *Proxy) respond(ctx *fasthttp.RequestCtx, e *cache.Entry, outcome cache.Outcome) {
	h := &ctx.Response.Header
	h.SetCanonical(headerCacheControl, p.headers.cacheControl)
	h.SetCanonical(headerCacheStatus, statusOf(outcome))
	var digits [20]byte
	h.SetCanonical(headerAge, strconv.AppendInt(digits[:0], int64(max(0, time.Since(p.confirmed(e, outcome))/time.Second)), 10))

	if e.Status == fasthttp.StatusOK {
		if v := matchETag(e.Variants, ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch)); v != nil {
			p.counts.notModified.Add(1)
			h.SetCanonical(headerETag, v.ETag)
			ctx.Response.SetStatusCode(fasthttp.StatusNotModified)
			return
		}
	}
	v := &e.Variants[negotiate(e.Variants, ctx.Request.Header.Peek(fasthttp.HeaderAcceptEncoding))]
	h.SetCanonical(headerETag, v.ETag)
	ctx.Response.SetStatusCode(e.Status)
	if v.Coding != "" {
		h.SetContentEncoding(v.Coding)
	}
	if v.Body != nil {
		ctx.Response.SetBodyRaw(v.Body)
		return
	}
	p.counts.inflated.Add(1)
	body, err := newInflater(e.Variants[gzipVariant].Body)
	if err != nil {
		panic(err) // it is our own
	}
	if ctx.IsHead() {
		body.Close()
		ctx.Response.SkipBody = true
		h.SetContentLength(e.Size)
		return
	}
	ctx.Response.SetBodyStream(body, e.Size)
}

// confirmed returns when an entry was last known to be true: for a hit that is
// when the database last told its generation.
func (p *Proxy) confirmed(e *cache.Entry, outcome cache.Outcome) time.Time {
	if outcome == cache.Hit {
		if t := p.cache.Confirmed(); t.After(e.Filled) {
			return t
		}
	}
	return e.Filled
}
