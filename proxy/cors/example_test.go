package cors_test

import (
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/cors"
)

func ExamplePolicy() {
	policy := cors.New([]string{"https://site.example"})
	for _, origin := range []string{"https://site.example", "https://other.example"} {
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.Set("Origin", origin)
		policy.Apply(&ctx)
		fmt.Printf("%s: %q\n", origin, ctx.Response.Header.Peek("Access-Control-Allow-Origin"))
	}
	// Output:
	// https://site.example: "https://site.example"
	// https://other.example: ""
}
