package proxy

import (
	"context"
	"net/netip"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/share"
	"github.com/lewistv/xcri-proxy/proxy/wire"
)

// await fills a missing entry for a request if its client's share allows. A search
// ends when the last client that waits for it has left.
func (p *Proxy) await(ctx *fasthttp.RequestCtx, ref *cache.Ref) (*cache.Entry, cache.Outcome, error) {
	if ctx == nil {
		return p.cache.Await(context.Background(), ref, "")
	}
	traced := cache.WithRequest(context.Background(), &p.traces.Begin(ctx).Request)
	lane, _ := origin.LaneOf(p.router, ref.Key)
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
