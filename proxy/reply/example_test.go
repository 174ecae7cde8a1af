package reply_test

import (
	"fmt"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/reply"
)

func ExampleFail() {
	var ctx fasthttp.RequestCtx
	reply.RetryAfter(&ctx, 5*time.Second)
	reply.Fail(&ctx, fasthttp.StatusServiceUnavailable, "The database is away.")
	h := &ctx.Response.Header
	fmt.Printf("%d %s\n%s, %s\n", ctx.Response.StatusCode(), ctx.Response.Body(), h.Peek("Cache-Control"), h.Peek("Retry-After"))
	fmt.Printf("%s\n", reply.CacheStatus(cache.Hit))
	// Output:
	// 503 {"detail":"The database is away."}
	// no-store, 5
	// xcri-proxy; hit; detail=hit
}
