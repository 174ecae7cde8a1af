// Package copies marks the answers that caches in front of the proxy may store, and purges
// their outdated copies.
package copies

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/front"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// Options configure Copies. Headers and Routes are required.
type Options struct {
	Headers *reply.Headers
	Routes  *route.Router
	// Front configures the purges; without URLs there are none.
	Front front.Options
	// Events gets an event when purges of a cache begin to fail, and when they succeed
	// again; nil keeps none.
	Events *events.List
	// Logger receives failures; nil discards them.
	Logger *slog.Logger
	// Refills reports whether the old API fills entries during an outage of the database.
	Refills bool
}

// Copies marks answers and purges their copies. It is safe for concurrent use.
type Copies struct {
	opts      Options
	purger    *front.Purger // nil without URLs
	separator string        // of tags in an answer
	// purged is when entries of the proxy's own cache were last purged.
	purged atomic.Pointer[time.Time]
	// published returns the published generation; nil before the first.
	published func() (cache.Generation, time.Time)
}

// New returns Copies. Follow must be called before they are used.
func New(opts Options) (*Copies, error) {
	c := &Copies{opts: opts, separator: " "}
	if string(opts.Headers.Tags()) == "Cache-Tag" {
		c.separator = ","
	}
	if len(opts.Front.URLs) == 0 {
		return c, nil
	}
	opts.Front.OnFailure, opts.Front.Logger = c.failed, opts.Logger
	var err error
	c.purger, err = front.New(opts.Front)
	return c, err
}

// failed records that purges of a cache in front began to fail, or succeed again.
func (c *Copies) failed(name string, err error) {
	text := "the cache in front at " + name + " is purged again"
	if err != nil {
		text = "the cache in front at " + name + " can't be purged: " + err.Error()
	}
	c.opts.Events.Add(events.Purge, text)
}

// Follow sets the cache whose answers are copied.
func (c *Copies) Follow(of *cache.Cache) { c.published = of.Published }

// Purger returns the Purger; nil without URLs.
func (c *Copies) Purger() *front.Purger { return c.purger }

// Tags returns the tags of the answers of a key, without the tag of the minute of their
// fill; nil if answers do not name their tags.
func (c *Copies) Tags(key string) []byte {
	if len(c.opts.Headers.Tags()) == 0 {
		return nil
	}
	q, err := c.opts.Routes.Question(key)
	if err != nil {
		return nil
	}
	return front.Separated(front.Names(q.Route.Path(), q.Route.Endpoint.Reads, q.Query.Scope(), key), c.separator)
}

// AppendField appends the field with the tags of an entry to a complete header.
func (c *Copies) AppendField(header, tags []byte, e *cache.Entry) []byte {
	header = append(append(header[:len(header)-len("\r\n")], c.opts.Headers.Tags()...), ": "...)
	header = front.AppendMinute(append(header, tags...), c.separator, e.Filled)
	return append(header, "\r\n\r\n"...)
}

// Mark sets the fields of an answer for caches in front. Such a cache must not store an
// answer that became outdated while its client waited for it: the purge of the answer may
// be over.
func (c *Copies) Mark(ctx *fasthttp.RequestCtx, tags []byte, e *cache.Entry, outcome cache.Outcome) {
	h := &ctx.Response.Header
	status := ctx.Response.StatusCode()
	waited := outcome == cache.Miss || outcome == cache.Coalesced
	if waited && !c.current(e) || status != e.Status && status != fasthttp.StatusNotModified {
		c.opts.Headers.KeepOut(h)
	}
	if tags != nil {
		var text [512]byte
		h.SetCanonical(c.opts.Headers.Tags(), front.AppendMinute(append(text[:0], tags...), c.separator, e.Filled))
	}
}

// current reports whether an entry is of the published generation and was read after the
// last purge.
func (c *Copies) current(e *cache.Entry) bool {
	if at := c.purged.Load(); at != nil && !e.Filled.Add(-e.Took).After(*at) {
		return false
	}
	g, _ := c.published()
	return g != nil && g.Holds(e)
}

// OnPurge returns an OnPurge of the cache that notes the time, and then calls next unless
// it is nil.
func (c *Copies) OnPurge(next func()) func() {
	return func() {
		c.purged.Store(new(time.Now()))
		if next != nil {
			next()
		}
	}
}

// Stale purges the copies that a publish or a change of a table has made stale.
func (c *Copies) Stale(s generation.Stale) {
	tags, known := front.Scopes(s.Scopes)
	switch {
	case s.Table == "" && (s.All || !known):
		tags = []string{front.All}
	case s.Table != "":
		window, short := front.Window(s.Since, time.Now())
		if tags = append(tags, window...); s.All || !known || !short {
			tags = []string{front.Table(s.Table)}
		}
	}
	c.purger.Purge(tags...)
}

// Back purges all copies at the end of an outage in which the old API may have filled
// entries that are not of the published generation.
func (c *Copies) Back() {
	if c.opts.Refills {
		c.purger.Purge(front.All)
	}
}

// Moved purges the copies of the answers of routes.
func (c *Copies) Moved(routes []*route.Route) {
	tags := make([]string, 0, len(routes))
	for _, r := range routes {
		tags = append(tags, front.Route(r.Path()))
	}
	c.purger.Purge(tags...)
}
