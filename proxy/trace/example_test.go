package trace_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/trace"
	"github.com/lewistv/xcri-proxy/proxy/visitor"
)

// The ID of a trusted proxy is kept, so that its log and ours name a request alike.
func ExampleTraces_Begin() {
	traces := trace.New(trace.Options{Trust: visitor.Trust{netip.MustParsePrefix("127.0.0.0/8")}, Logger: slog.New(slog.DiscardHandler)})
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil)
	ctx.Request.Header.Set(trace.Header, "apache-42")
	first, again := traces.Begin(&ctx), traces.Begin(&ctx)
	fmt.Println(first.ID, first == again)
	// Output: apache-42 true
}
