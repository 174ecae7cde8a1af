package visitor_test

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/visitor"
)

// The report of a client's address counts only if the peer is trusted.
func ExampleTrust_Of() {
	trust := visitor.Trust{netip.MustParsePrefix("127.0.0.0/8")}
	for _, peer := range []string{"127.0.0.1", "203.0.113.5"} {
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.ParseIP(peer)}, nil)
		ctx.Request.Header.Set("X-Forwarded-For", "198.51.100.9, 192.0.2.7")
		fmt.Println(peer, "->", trust.Of(&ctx).Address)
	}
	// Output:
	// 127.0.0.1 -> 192.0.2.7
	// 203.0.113.5 -> 203.0.113.5
}
