package proxy

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/reply"
)

// fastPath answers most requests before the server has read them: those of the
// plainest form for a target that is known and whose answer is a hit. All others
// it leaves to the server as they are. Its answers are, to the byte, those that
// the server would give. It is safe for concurrent use.
type fastPath struct {
	p     *Proxy
	lines []byte // of a hit's header, the same for all
	date  atomic.Pointer[date]
}

// date is the text of a second.
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
	for name, value := range p.headers.cached[cache.Hit].All() {
		if len(value) > 0 && string(name) != fasthttp.HeaderContentType {
			f.lines = append(append(append(append(f.lines, name...), ": "...), value...), "\r\n"...)
		}
	}
	f.lines = append(f.lines, "\r\n"...)
	return f
}

// answer answers a request, which is all that has come on a connection since its
// last answer, or reports that it is left to the server. After an error the
// connection is closed.
func (f *fastPath) answer(c *conn, request []byte) (answered bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			f.p.panicked(string(plainTarget(request)), r)
			c.Close()
			answered, err = false, net.ErrClosed
		}
	}()
	known, e := f.find(request)
	if e == nil {
		return false, nil
	}
	now := time.Now()
	header, v := f.prepare(c.body.header[:0], request, e, now)
	if header == nil {
		return false, nil
	}
	f.p.cache.Count(&known.ref)
	counted := f.p.metrics.Route(known.route.ID)
	counted.Outcomes[cache.Hit].Add(1)
	counted.Latency.Record(time.Since(now))
	if err := c.answer(header, v); err != nil {
		c.Close() // what was begun can't be taken back
		return false, net.ErrClosed
	}
	return true, nil
}

// find returns what is asked for and the entry that answers it; nil if it is not
// found at once.
func (f *fastPath) find(request []byte) (*target, *cache.Entry) {
	text := plainTarget(request)
	if text == nil || f.p.stopping.Load() || f.p.maintenance.On() {
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

// prepare appends the header of the answer to a request, and returns the form that
// is sent after it: none with a 304. The header is nil if the request is for the
// server.
func (f *fastPath) prepare(to, request []byte, e *cache.Entry, now time.Time) (header []byte, v *cache.Variant) {
	plain := plainReaders.Get().(*plainReader)
	defer plainReaders.Put(plain)
	if !plain.read(request) {
		return nil, nil
	}
	age := f.p.age(e, cache.Hit, now)
	v, tag := f.p.negotiator.Select(e.Variants, plain.header.PeekCanonical(headerAcceptEncoding), plain.header.PeekCanonical(headerIfNoneMatch))
	if tag != nil {
		f.p.metrics.NotModified.Add(1)
		return f.appendHeader(to, nil, tag, age, now), nil
	}
	if !v.HasBody() || !v.Hold() {
		return nil, nil // the body is made while it is sent, or has left the cache
	}
	return f.appendHeader(to, v, v.ETag, age, now), v
}

// appendHeader appends the header of an answer, of a 304 if there is no variant.
func (f *fastPath) appendHeader(to []byte, v *cache.Variant, tag []byte, age int, now time.Time) []byte {
	begin := beginOK
	if v == nil {
		begin = beginNotModified
	}
	to = append(append(to, begin...), f.dateOf(now)...)
	to = append(to, "\r\nContent-Type: "+reply.JSON...)
	if v != nil {
		if v.Coding != "" {
			to = append(append(to, "\r\nContent-Encoding: "...), v.Coding...)
		}
		to = fasthttp.AppendUint(append(to, "\r\nContent-Length: "...), v.Len())
	}
	to = fasthttp.AppendUint(append(to, "\r\nAge: "...), age)
	to = append(append(to, "\r\nEtag: "...), tag...)
	return append(append(to, "\r\n"...), f.lines...)
}

// dateOf returns the text of now's second.
func (f *fastPath) dateOf(now time.Time) []byte {
	d := f.date.Load()
	if second := now.Unix(); d == nil || d.second != second {
		d = &date{second, fasthttp.AppendHTTPDate(nil, now)}
		f.date.Store(d)
	}
	return d.text
}
