package body_test

import (
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/admin/body"
)

// A field that the page does not know is refused.
func ExampleRead() {
	type request struct{ Route string }
	for _, text := range []string{`{"route": "/teams/"}`, "", `{"rout": "/teams/"}`} {
		var (
			ctx fasthttp.RequestCtx
			req request
		)
		ctx.Request.SetBodyString(text)
		fmt.Printf("%t %d %q\n", body.Read(&ctx, &req), ctx.Response.StatusCode(), req.Route)
	}
	// Output:
	// true 200 "/teams/"
	// true 200 ""
	// false 400 ""
}
