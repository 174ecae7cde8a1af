package proxy

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/slowest"
	"github.com/lewistv/xcri-proxy/proxy/tail"
	"github.com/lewistv/xcri-proxy/proxy/trace"
)

// reports are the parts that show operators the requests and the events.
type reports struct {
	traces  *trace.Traces
	slowest *slowest.List
	events  *events.List
	tail    *tail.Hub
}

func (p *Proxy) newReports() reports {
	r := &reports{slowest: &slowest.List{}, events: &events.List{}}
	o := p.opts.Trace
	o.Trust, o.Logger, o.OnTraced = p.opts.TrustedProxies, p.opts.Logger, func(one *api.Request) {
		if one.Outcome != "" { // it waited for an answer of the cache or of the old API
			r.slowest.Add(one)
		}
	}
	o.OnRequest = func(one *api.Request) { r.tail.Add(one) }
	r.traces = trace.New(o)
	r.tail = tail.New(r.traces.Watch)
	p.followEvents(r.events)
	return *r
}

// followEvents records the start and the outages of the database among the events.
func (p *Proxy) followEvents(list *events.List) {
	list.Add(events.Start, "the proxy started, version "+p.opts.Version)
	p.outage.OnChange(func(cause error) {
		if cause == nil {
			list.Add(events.Back, "the database is back")
			p.copies.Back()
			return
		}
		list.Add(events.Outage, "the database is down: "+cause.Error())
	})
}

// published returns an OnPublish that wakes the season, records the publish among the
// events, and then calls next.
func (p *Proxy) published(next func()) func() {
	return func() {
		s := p.generations.Status()
		p.season.Wake()
		p.events.Add(events.Publish, fmt.Sprintf("generation published, calculated at %s: %d of %d answers loaded, %d failed", s.Calculated, s.Filled, s.Keys, s.Failed))
		next()
	}
}

// switched records that a circuit breaker opened or closed.
func (p *Proxy) switched(text string) { p.events.Add(events.Source, text) }

// HandedOver records a hand-over among the events.
func (p *Proxy) HandedOver(text string) { p.events.Add(events.HandOver, text) }
