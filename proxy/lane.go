package proxy

import (
	"context"
	"errors"
	"net/netip"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/share"
	"github.com/lewistv/xcri-proxy/proxy/wire"
	"github.com/lewistv/xcri-proxy/store"
)

// lanes are the cache's lanes of the store's kinds of work. A visitor can make up
// searches that take as long as a statement may.
var lanes = map[store.Lane]cache.Lane{store.ByKey: cache.Quick, store.WholeList: cache.Heavy, store.Search: cache.Costly}

// laneOf returns the lane of a fill. Its group is the table that most of the answer is
// read from: whoever locks the table must not hold the fills from other tables.
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

// errShare is the error of a request whose client waits for too many fills already.
var errShare = errors.New("the client has its share of loads already")

// await answers a request that the cache has no entry for, if its client's share allows.
// A search ends with the last client that waits for it.
func (p *Proxy) await(ctx *fasthttp.RequestCtx, ref *cache.Ref) (*cache.Entry, cache.Outcome, error) {
	if ctx == nil {
		return p.cache.Await(context.Background(), ref, "")
	}
	lane, _ := laneOf(p.router, ref.Key)
	name := ""
	if client := p.client(ctx); client.IsValid() {
		if !p.shares.Enter(client, lane, ref.Key) {
			return nil, cache.Error, errShare
		}
		defer p.shares.Leave(client, lane, ref.Key)
		name = client.String()
	}
	if lane != cache.Costly {
		return p.cache.Await(context.Background(), ref, name)
	}
	waiting, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer wire.Watch(ctx, cancel)()
	return p.cache.Await(waiting, ref, name)
}

// client returns the client of a request, which is invalid for one without a share. That
// is a peer on this machine, such as the commands verify, warm and load, and a trusted
// proxy that reports no client: one share for all of its visitors would lock them out.
func (p *Proxy) client(ctx *fasthttp.RequestCtx) netip.Prefix {
	trust := p.opts.TrustedProxies
	address := trust.Of(ctx).Address
	if !address.IsValid() || address.IsLoopback() || trust.Believes(address) {
		return netip.Prefix{}
	}
	return share.Of(address)
}
