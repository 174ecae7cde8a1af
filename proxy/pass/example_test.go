package pass_test

import (
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/pass"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/trace"
)

// Without an old API, its paths are not available, and all others do not exist.
func ExampleHandler() {
	h := pass.Handler{Traces: trace.New(trace.Options{})}
	for _, path := range []string{"/feedback/", "/nothing"} {
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, nil, nil)
		h.Serve(&ctx, route.Place{Path: []byte(path)})
		fmt.Println(path, ctx.Response.StatusCode())
	}
	// Output:
	// /feedback/ 503
	// /nothing 404
}
