// Package visitor identifies the client of a request: the peer of the connection, or the
// client that a trusted proxy in front reports.
package visitor

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// Visitor describes the client of a request, from the connection and from trusted proxies.
type Visitor struct {
	// Address is the client's. The zero Addr means that it is unknown: the peer
	// is on a Unix socket and reports no address.
	Address netip.Addr
	Proto   string // http or https
	Host    string // as the client wrote it; may be empty
}

// Trust lists the networks whose X-Forwarded-* headers are believed. A peer on a Unix
// socket is always believed: the socket's mode limits the accounts that can connect.
type Trust []netip.Prefix

// Of returns the visitor of a request. The last value of a list in a header is the trusted
// proxy's own.
func (t Trust) Of(ctx *fasthttp.RequestCtx) Visitor {
	h := &ctx.Request.Header
	peer := Peer(ctx.RemoteAddr())
	v := Visitor{peer, "http", string(h.Host())}
	if !t.Believes(peer) {
		return v
	}
	chain := bytes.Join(h.PeekAll("X-Forwarded-For"), []byte(","))
	v.Address = t.last(peer, string(chain))
	if proto := strings.ToLower(lastOf(h.PeekAll("X-Forwarded-Proto"))); proto == "http" || proto == "https" {
		v.Proto = proto
	}
	if host := lastOf(h.PeekAll("X-Forwarded-Host")); host != "" {
		v.Host = host
	}
	return v
}

// Peer returns the address of a connection's other end in its plain form. It is
// the zero Addr for a Unix socket.
func Peer(of net.Addr) netip.Addr {
	tcp, ok := of.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

// Believes reports whether a peer with an address is believed. An invalid address stands
// for a peer on a Unix socket.
func (t Trust) Believes(address netip.Addr) bool {
	return !address.IsValid() || slices.ContainsFunc(t, func(p netip.Prefix) bool { return p.Contains(address) })
}

// last returns the last address of a chain of proxies that is not trusted. Each
// proxy appends the address that it got the request from; peer sent the request
// to us. An element that is no address ends the walk.
func (t Trust) last(peer netip.Addr, chain string) netip.Addr {
	for t.Believes(peer) && chain != "" {
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
