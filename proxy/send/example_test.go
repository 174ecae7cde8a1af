package send_test

import (
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/send"
)

// A client gets the form that it prefers, and no body if it has the body already.
func ExampleSender() {
	body := make([]byte, 20_000)
	variants := content.Variants(body)
	s := send.New(metrics.New(0), nil)
	request := func(tag string) *fasthttp.Response {
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, nil, nil)
		ctx.Request.Header.Set("Accept-Encoding", "gzip")
		ctx.Request.Header.Set("If-None-Match", tag)
		if v := s.Select(&ctx, variants); v != nil {
			s.Variant(&ctx, v, variants, len(body))
		}
		return &ctx.Response
	}
	first := request("")
	again := request(string(first.Header.Peek("ETag")))
	fmt.Println(first.StatusCode(), string(first.Header.ContentEncoding()), again.StatusCode(), len(again.Body()))
	// Output: 200 gzip 304 0
}
