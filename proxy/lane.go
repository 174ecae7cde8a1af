package proxy

import (
	"context"
	"net/netip"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/share"
	"github.com/lewistv/xcri-proxy/proxy/wire"
	"github.com/lewistv/xcri-proxy/store"
)

// lanes maps the store's kinds of work to the cache's lanes. A client can request any
// number of different searches, each of which may take as long as a statement may.
var lanes = map[store.Lane]cache.Lane{store.ByKey: cache.Quick, store.WholeList: cache.Heavy, store.Search: cache.Costly}

// laneOf returns the lane and the group of a fill. The group is the table that most of
// the answer is read from, so that a lock on the table does not block fills from other
// tables.
func laneOf(routes *route.Router, key string) (cache.Lane, string) {
	q, err := routes.Question(key)
	if err != nil {
		return cache.Quick, "" // the fill will fail
	}
	reads := q.Route.Endpoint.Reads
	if len(reads) == 0 {
		return cache.Quick, "" // it needs no database
	}
	return lanes[q.Query.Lane()], reads[0]
}

// await fills a missing entry for a request if its client's share allows. A search
// ends when the last client that waits for it has left.
func (p *Proxy) await(ctx *fasthttp.RequestCtx, ref *cache.Ref) (*cache.Entry, cache.Outcome, error) {
	if ctx == nil {
		return p.cache.Await(context.Background(), ref, "")
	}
	traced := cache.WithRequest(context.Background(), &p.traces.Begin(ctx).Request)
	lane, _ := laneOf(p.router, ref.Key)
	name := ""
	if client := p.client(ctx); client.IsValid() {
		if !p.shares.Enter(client, lane, ref.Key) {
			return nil, cache.Error, share.ErrFull
		}
		defer p.shares.Leave(client, lane, ref.Key)
		name = client.String()
	}
	if lane != cache.Costly {
		return p.cache.Await(traced, ref, name)
	}
	waiting, cancel := context.WithCancel(traced)
	defer cancel()
	defer wire.Watch(ctx, cancel)()
	return p.cache.Await(waiting, ref, name)
}

// client returns the client whose share a request counts for; the zero Prefix means no
// limit. There is no limit for a peer on this machine, such as the commands verify,
// warm and load, or for a trusted proxy that reports no client: one share for all of
// its visitors would lock them out.
func (p *Proxy) client(ctx *fasthttp.RequestCtx) netip.Prefix {
	trust := p.opts.TrustedProxies
	address := trust.Of(ctx).Address
	if !address.IsValid() || address.IsLoopback() || trust.Believes(address) {
		return netip.Prefix{}
	}
	return share.Of(address)
}
