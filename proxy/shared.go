package proxy

import (
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/lasting"
	"github.com/lewistv/xcri-proxy/proxy/admin/selector"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/wanted"
	"github.com/lewistv/xcri-proxy/proxy/plural"
	"github.com/lewistv/xcri-proxy/store"
)

// Fleet configures a proxy as a member of a fleet.
type Fleet struct {
	// Name names this proxy to operators.
	Name string
	// Options has the Engine, without which nothing is shared, Maker and Budget. New sets
	// the other fields.
	fleet.Options
}

// newFleet returns this proxy's part in a fleet; nil without a shared level.
func (p *Proxy) newFleet() *fleet.Fleet {
	o := p.opts.Fleet.Options
	if o.Engine == nil {
		return nil
	}
	o.State, o.Usable, o.Rank, o.Selector, o.Logger = p.stateOf, p.usable, content.Rank, selector.OfActions(p.router), p.opts.Logger
	o.Published = func() cache.Generation { g, _ := p.cache.Published(); return g }
	o.Info, o.Asked = func() fleet.Info { return p.admin.Member(p.opts.Fleet.Name) }, func() map[string]int64 { return wanted.Of(p.cache) }
	o.Apply, o.Forget, o.Hold = func(a fleet.Action) { p.admin.Apply(a) }, func() { p.admin.Forget() }, func(text []byte) bool { return p.generations.Hold(text) }
	begun := time.Now().Add(-selector.Clocks) // on the log's clock: entries filled from here on are of this run
	o.Missed, o.Lasting = func(since time.Time, purges []fleet.Action) {
		if since.After(begun) {
			since = begun
		}
		p.missed(since, purges)
	}, p.lasting()
	o.Warm, o.Fresh, o.Wake = func() []string { return p.generations.WarmSet() }, p.freshEntry, p.wake
	return fleet.New(o)
}

// lasting returns the options for the lasting actions of the fleet.
func (p *Proxy) lasting() fleet.Lasting {
	kept := fleet.Kept{Local: lasting.Of(p.opts.State.Maintenance, p.opts.State.Sources)}
	if p.opts.State.Fleet != nil {
		kept = *p.opts.State.Fleet
	}
	return fleet.Lasting{
		Parts: lasting.Parts(p.router), Settle: func(all, news []fleet.Action) { p.admin.Settle(all, news) },
		Kept: kept, Keep: func(kept fleet.Kept) error { return p.state.change(func(s *State) { s.Fleet = &kept }) },
	}
}

// missed repeats purges of the fleet that this proxy may have missed, on entries of an
// earlier run. since is the beginning of the log: earlier purges are unknown.
func (p *Proxy) missed(since time.Time, purges []fleet.Action) {
	drop, stale := selector.OfMissed(since, purges, p.router)
	if n := p.cache.Purge(stale, false) + p.cache.Purge(drop, true); n > 0 {
		p.opts.Logger.Info("saved entries purged: the fleet may have purged them since they were saved", "entries", n)
		p.events.Add(events.Purge, plural.Of(n, "saved entry")+" purged: the fleet may have purged them since they were saved")
	}
}

// stateOf returns the state of the data that an answer depends on, by which the members of
// a fleet name the answer.
func (p *Proxy) stateOf(g cache.Generation, key string) fleet.State {
	q, err := p.router.Question(key)
	of, ok := g.(interface{ Of(store.Scope) string })
	if err != nil || !ok || len(q.Route.Endpoint.Reads) == 0 {
		return fleet.State{}
	}
	data := p.generations.Data(q.Route.Endpoint.Reads)
	if data.Stamps == "" {
		return fleet.State{}
	}
	return fleet.State{
		Generation: of.Of(q.Query.Scope()), Data: p.origins.SourceOf(q.Route).String() + "\x00" + data.Stamps,
		Sure: data.Sure, Settled: data.Settled, MaxAge: data.MaxAge,
	}
}

// freshEntry returns the entry of a key if a request for the key would be a hit.
func (p *Proxy) freshEntry(key string) *cache.Entry {
	if sight := p.cache.Peek(&cache.Ref{Key: key}); sight.Outcome == cache.Hit {
		return sight.Entry
	}
	return nil
}

// strict returns the longest wait of a request for a publish by all members of the fleet.
func (p *Proxy) strict() (most time.Duration) {
	if p.generations.Status().Held == "" { // otherwise the time of the publish is unknown
		most = p.fleet.Patience()
	}
	return most
}
