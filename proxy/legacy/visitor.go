package legacy

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// whence is who sent a request and what for, as far as it can be believed.
type whence struct {
	address     netip.Addr
	proto, host string
}

// whence finds out where a request comes from. What it says of that counts only
// if a trusted proxy sent it. The last value of a list is that proxy's own.
func (c *Client) whence(ctx *fasthttp.RequestCtx) whence {
	h := &ctx.Request.Header
	peer, _ := netip.AddrFromSlice(ctx.RemoteIP())
	peer = peer.Unmap()
	w := whence{peer, "http", string(h.Host())}
	if !c.trusts(peer) {
		return w
	}
	chain := bytes.Join(h.PeekAll("X-Forwarded-For"), []byte(","))
	w.address = visitorAddress(peer, string(chain), c.trusts)
	if proto := strings.ToLower(lastOf(h.PeekAll("X-Forwarded-Proto"))); proto == "http" || proto == "https" {
		w.proto = proto
	}
	if host := lastOf(h.PeekAll("X-Forwarded-Host")); host != "" {
		w.host = host
	}
	return w
}

func (c *Client) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(c.opts.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(address) })
}

// visitorAddress returns the last address of a chain of proxies that is not one
// of the trusted. Each of them wrote down whom it got the request from; peer is
// who sent it to us. Where that is no address, the walk ends.
func visitorAddress(peer netip.Addr, chain string, trusts func(netip.Addr) bool) netip.Addr {
	for trusts(peer) && chain != "" {
		i := strings.LastIndexByte(chain, ',')
		address, ok := parseAddress(chain[i+1:])
		if !ok {
			break
		}
		peer, chain = address, chain[:max(i, 0)]
	}
	return peer
}

// parseAddress reads an address, with or without a port and brackets.
func parseAddress(text string) (address netip.Addr, ok bool) {
	text = strings.TrimSpace(text)
	address, err := netip.ParseAddr(text)
	if err != nil {
		var withPort netip.AddrPort
		withPort, err = netip.ParseAddrPort(text)
		address = withPort.Addr()
	}
	if inside, found := strings.CutPrefix(text, "["); err != nil && found {
		inside, found = strings.CutSuffix(inside, "]")
		address, err = netip.ParseAddr(inside)
		if !found || !address.Is6() {
			return netip.Addr{}, false
		}
	}
	address = address.Unmap().WithZone("")
	return address, err == nil && !address.IsUnspecified()
}

// lastOf is the last element of a header's list.
func lastOf(values [][]byte) string {
	all := string(bytes.Join(values, []byte(",")))
	return strings.TrimSpace(all[strings.LastIndexByte(all, ',')+1:])
}

// headers tells the old API what it would see without us.
func (w whence) headers(r *request) {
	if w.address.IsValid() {
		r.header("X-Forwarded-For", w.address.String())
	}
	r.header("X-Forwarded-Proto", w.proto)
	if w.host != "" {
		r.header("X-Forwarded-Host", w.host)
	}
}
