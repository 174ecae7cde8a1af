package reply

import (
	"fmt"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
)

// Header names in their canonical form, which fasthttp need not normalize.
var (
	HeaderAge          = []byte("Age")
	HeaderCacheControl = []byte("Cache-Control")
	HeaderCacheStatus  = []byte("Cache-Status")
	HeaderETag         = []byte("Etag")
	HeaderCDN          = []byte("CDN-Cache-Control")
	HeaderVary         = []byte("Vary")

	HeaderAcceptEncoding = []byte("Accept-Encoding")
	HeaderIfMatch        = []byte("If-Match")
	HeaderIfNoneMatch    = []byte("If-None-Match")
)

// Headers holds the fields that many answers share. Copying a header takes less time
// than setting field after field.
type Headers struct {
	every fasthttp.ResponseHeader // of every answer
	// cached are the headers of answers from the cache, by outcome.
	cached [cache.Outcomes]fasthttp.ResponseHeader
	hits   [readyAges]fasthttp.ResponseHeader // by age
	// tags is the name of the field that names an answer's tags; empty means no field.
	tags []byte
	cdn  bool
}

// readyAges is the number of ages, in seconds, for which the header of a hit is made in
// advance. Polls confirm the entries more often.
const readyAges = 64

// Reuse says in Cache-Control how long clients may reuse an answer from the cache, and how
// much longer while they refresh it.
type Reuse struct {
	MaxAge, StaleWhileRevalidate time.Duration
	CDN                          CDN
}

// CDN configures the fields for caches in front of the proxy, which can be purged.
type CDN struct {
	// MaxAge says in CDN-Cache-Control how long such a cache may reuse a fresh answer;
	// zero means no such field. StaleIfError is the time after it for which the cache may
	// reuse the answer while the proxy fails. Source: RFC 9213.
	MaxAge, StaleIfError time.Duration
	// Tags is the name of the field that names the tags of an answer; empty means no field.
	Tags string
}

// NewHeaders returns the headers of a proxy's answers.
func NewHeaders(reuse Reuse) *Headers {
	h := &Headers{tags: []byte(reuse.CDN.Tags), cdn: reuse.CDN.MaxAge > 0}
	for _, kv := range [][2]string{
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "strict-origin-when-cross-origin"},
		{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
		{"Content-Type", JSON},
		{"Vary", "Accept-Encoding, Origin"},
	} {
		h.every.Set(kv[0], kv[1])
	}
	h.every.SetNoDefaultContentType(true)
	cacheControl := reuse.cacheControl()
	for o := range h.cached {
		// The fields that each answer sets come first, where a search ends early.
		h.cached[o].SetCanonical(HeaderAge, nil)
		h.cached[o].SetCanonical(HeaderETag, nil)
		for k, v := range h.every.All() {
			h.cached[o].SetCanonical(k, v)
		}
		h.cached[o].SetNoDefaultContentType(true)
		h.cached[o].SetCanonical(HeaderCacheControl, cacheControl)
		h.cached[o].SetCanonical(HeaderCacheStatus, cacheStatus[o])
		if h.cdn {
			h.cached[o].SetCanonical(HeaderCDN, reuse.CDN.control(cache.Outcome(o)))
		}
	}
	for age := range h.hits {
		h.cached[cache.Hit].CopyTo(&h.hits[age])
		setAge(&h.hits[age], age)
	}
	return h
}

func setAge(h *fasthttp.ResponseHeader, age int) {
	var digits [20]byte
	h.SetCanonical(HeaderAge, fasthttp.AppendUint(digits[:0], age))
}

// Tags returns the name of the field that names an answer's tags; empty means no field. It
// must not be changed.
func (h *Headers) Tags() []byte { return h.tags }

// KeepOut forbids caches in front to store an answer.
func (h *Headers) KeepOut(to *fasthttp.ResponseHeader) {
	if h.cdn {
		to.SetCanonical(HeaderCDN, noStore)
	}
}

var noStore = []byte("no-store")

// control returns the value of CDN-Cache-Control. A stale answer is never stored: the purge
// that followed it is over.
func (c CDN) control(o cache.Outcome) []byte {
	switch {
	case o == cache.Stale, o == cache.StaleError:
		return noStore
	case c.StaleIfError > 0:
		return fmt.Appendf(nil, "max-age=%d, stale-if-error=%d", int(c.MaxAge.Seconds()), int(c.StaleIfError.Seconds()))
	}
	return fmt.Appendf(nil, "max-age=%d", int(c.MaxAge.Seconds()))
}

// cacheControl returns the value of Cache-Control. Without an age a browser revalidates its
// copy at each use, and gets a 304 if the copy is current: so no visitor sees an answer
// from before a publish.
func (r Reuse) cacheControl() []byte {
	switch {
	case r.StaleWhileRevalidate > 0:
		return fmt.Appendf(nil, "public, max-age=%d, stale-while-revalidate=%d", int(r.MaxAge.Seconds()), int(r.StaleWhileRevalidate.Seconds()))
	case r.MaxAge > 0:
		return fmt.Appendf(nil, "public, max-age=%d", int(r.MaxAge.Seconds()))
	}
	return []byte("public, no-cache")
}

// Common replaces the header of an answer by the fields that all answers have.
func (h *Headers) Common(to *fasthttp.ResponseHeader) { h.every.CopyTo(to) }

// cacheStatus holds the value of Cache-Status for each outcome, whose name is its
// detail. Source: RFC 9211.
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

// CacheStatus returns the value of Cache-Status for an outcome. It must not be changed.
func CacheStatus(o cache.Outcome) []byte { return cacheStatus[o] }

// Begin replaces the header of an answer by the fields of an answer from the cache. age is
// in seconds.
func (h *Headers) Begin(to *fasthttp.ResponseHeader, o cache.Outcome, age int) {
	if o == cache.Hit && age < readyAges {
		h.hits[age].CopyTo(to)
		return
	}
	h.cached[o].CopyTo(to)
	setAge(to, age)
}

// Cached returns the header of answers from the cache with an outcome. It must not be
// changed.
func (h *Headers) Cached(o cache.Outcome) *fasthttp.ResponseHeader { return &h.cached[o] }
