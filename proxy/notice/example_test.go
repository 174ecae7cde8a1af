package notice_test

import (
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/notice"
)

// A page that is already open gets its files; a browser that opens a page gets the notice.
func ExampleHandler_Serve() {
	period := &maintenance.Period{}
	h := notice.New(maintenance.New(maintenance.Options{Period: period}), true)
	for _, target := range []string{"/assets/app.js", "/teams"} {
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, nil, nil)
		fmt.Println(target, h.Serve(&ctx, []byte(target), period), ctx.Response.StatusCode())
	}
	// Output:
	// /assets/app.js false 200
	// /teams true 503
}
