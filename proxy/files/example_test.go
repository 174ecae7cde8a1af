package files_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/files"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/send"
	"github.com/lewistv/xcri-proxy/proxy/site"
)

// A page of the site names the list that its scripts will request, if one is known.
func ExampleFiles_Serve() {
	dir, err := os.MkdirTemp("", "site-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	_ = os.WriteFile(filepath.Join(dir, "index.html"), []byte("<!doctype html>"), 0o644)
	s, err := site.New(site.Options{Dir: dir, Variants: content.OfFile})
	if err != nil {
		fmt.Println(err)
		return
	}
	preload := func(*fasthttp.RequestCtx, []byte) []byte { return []byte("</api/teams/>; rel=preload") }
	counts := metrics.New(0)
	f := files.New(s, preload, send.New(counts, nil), counts)

	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, nil, nil)
	ctx.Request.Header.Set("Sec-Fetch-Dest", "document")
	f.Serve(&ctx, route.Place{Site: true, Path: []byte("/")})
	fmt.Println(ctx.Response.StatusCode(), string(ctx.Response.Body()), string(ctx.Response.Header.Peek("Link")))
	// Output: 200 <!doctype html> </api/teams/>; rel=preload
}
