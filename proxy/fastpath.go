package proxy

import (
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/wire"
)

// fastPath answers most requests before they are parsed in full: plain requests for a
// memoized target whose answer is a hit, unless the requests are watched (by an access log
// or a tail), or the request may belong to an observed visit (see preload). It leaves all
// others to the handler, and its answers are identical to the handler's, byte for byte. It
// is safe for concurrent use.
type fastPath struct {
	p     *Proxy
	lines []byte // constant lines of a hit's header
	date  atomic.Pointer[date]
}

// date is a second in the format of the field Date.
type date struct {
	second int64 // Unix
	text   []byte
}

const (
	beginOK          = "HTTP/1.1 200 OK\r\nServer: " + serverName + "\r\nDate: "
	beginNotModified = "HTTP/1.1 304 Not Modified\r\nServer: " + serverName + "\r\nDate: "
)

func newFastPath(p *Proxy) *fastPath {
	f := &fastPath{p: p}
	for name, value := range p.headers.Cached(cache.Hit).All() {
		if len(value) > 0 && string(name) != fasthttp.HeaderContentType {
			f.lines = append(append(append(append(f.lines, name...), ": "...), value...), "\r\n"...)
		}
	}
	f.lines = append(f.lines, "\r\n"...)
	return f
}

// answer is the Answer of wire.Options.
func (f *fastPath) answer(dst []byte, h *wire.Head) (header []byte, v *cache.Variant, ok bool) {
	known, e := f.find(h.Target)
	if e == nil || f.p.opts.Preload.Observes(h.Referer) {
		return nil, nil, false
	}
	now, counted := time.Now(), f.p.metrics.Route(known.route.ID)
	if header, v = f.prepare(dst, h, e, now); header == nil {
		return nil, nil, false
	}
	if known.tags != nil {
		header = f.p.copies.AppendField(header, known.tags, e)
	}
	f.p.cache.Count(&known.ref)
	counted.Answered(cache.Hit, time.Since(now))
	return header, v, true
}

// prepare appends the header of the answer to a request, and returns the variant to
// send as its body, held; nil for a 304. The header is nil if the handler must answer.
func (f *fastPath) prepare(to []byte, h *wire.Head, e *cache.Entry, now time.Time) (header []byte, v *cache.Variant) {
	age := f.p.age(e, cache.Hit, now)
	v, tag := f.p.sender.Negotiator.Select(e.Variants, h.AcceptEncoding, h.IfNoneMatch)
	if tag != nil {
		f.p.metrics.Statuses.Add(fasthttp.StatusNotModified)
		return f.appendHeader(to, nil, tag, age, now), nil
	}
	if !v.HasBody() || !v.Hold() {
		return nil, nil // the body must be encoded, or has left the cache
	}
	f.p.metrics.Statuses.Add(fasthttp.StatusOK)
	return f.appendHeader(to, v, v.ETag, age, now), v
}

// find returns the memoized target and its hit, or nil.
func (f *fastPath) find(text []byte) (*target, *cache.Entry) {
	if f.p.stopping.Load() || f.p.maintenance.On() || f.p.traces.Watched() {
		return nil, nil
	}
	known := f.p.targets.Get(text)
	if known == nil {
		return nil, nil
	}
	sight := f.p.cache.Peek(&known.ref)
	if sight.Outcome != cache.Hit || sight.Entry.Status != fasthttp.StatusOK {
		return nil, nil
	}
	return known, sight.Entry
}

// appendHeader appends the header of a 200 with a variant, or of a 304 without one.
func (f *fastPath) appendHeader(to []byte, v *cache.Variant, tag []byte, age int, now time.Time) []byte {
	begin := beginOK
	if v == nil {
		begin = beginNotModified
	}
	to = append(append(to, begin...), f.dateOf(now)...)
	if v != nil {
		to = append(to, "\r\nContent-Type: "+reply.JSON...)
		if v.Coding != "" {
			to = append(append(to, "\r\nContent-Encoding: "...), v.Coding...)
		}
		to = fasthttp.AppendUint(append(to, "\r\nContent-Length: "...), v.Len())
	}
	to = fasthttp.AppendUint(append(to, "\r\nAge: "...), age)
	to = append(append(to, "\r\nEtag: "...), tag...)
	return append(append(to, "\r\n"...), f.lines...)
}

// dateOf returns the value of Date for now.
func (f *fastPath) dateOf(now time.Time) []byte {
	d := f.date.Load()
	if second := now.Unix(); d == nil || d.second != second {
		d = &date{second, fasthttp.AppendHTTPDate(nil, now)}
		f.date.Store(d)
	}
	return d.text
}
