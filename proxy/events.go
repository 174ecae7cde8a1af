package proxy

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/events"
)

// followEvents records the start and the outages of the database among the events.
func (p *Proxy) followEvents() {
	p.events.Add(events.Start, "the proxy started, version "+p.opts.Version)
	p.outage.OnChange(func(cause error) {
		if cause == nil {
			p.events.Add(events.Back, "the database is back")
			return
		}
		p.events.Add(events.Outage, "the database is down: "+cause.Error())
	})
}

// published returns an OnPublish that records the publish among the events, and then
// calls next unless it is nil.
func (p *Proxy) published(next func()) func() {
	return func() {
		s := p.generations.Status()
		p.events.Add(events.Publish, fmt.Sprintf("generation published, calculated at %s: %d of %d answers loaded, %d failed", s.Calculated, s.Filled, s.Keys, s.Failed))
		if next != nil {
			next()
		}
	}
}

// HandedOver records a hand-over among the events.
func (p *Proxy) HandedOver(text string) { p.events.Add(events.HandOver, text) }
