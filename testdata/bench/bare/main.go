// Command bare is a fasthttp server that does nothing but repeat one answer: the
// least that a server on fasthttp can do for it. It takes the answer from another
// server once, headers and all, and has the limits of the proxy's server.
//
//	bare LISTEN_ADDR URL [HEADER: VALUE]...
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("an address and a URL are needed")
	}
	answer, err := take(args[1], args[2:])
	if err != nil {
		return fmt.Errorf("take %s: %w", args[1], err)
	}
	return server(answer).ListenAndServe(args[0])
}

// take asks for a page with the headers given and returns its answer as it came.
func take(url string, headers []string) (*fasthttp.Response, error) {
	var req fasthttp.Request
	req.SetRequestURI(url)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	answer := &fasthttp.Response{}
	if err := fasthttp.Do(&req, answer); err != nil {
		return nil, err
	}
	// The server sets these itself.
	answer.Header.Del("Date")
	answer.Header.Del("Server")
	answer.Header.SetNoDefaultContentType(true)
	return answer, nil
}

func server(answer *fasthttp.Response) *fasthttp.Server {
	body := answer.Body()
	return &fasthttp.Server{
		Handler: func(ctx *fasthttp.RequestCtx) {
			answer.Header.CopyTo(&ctx.Response.Header)
			ctx.Response.SetBodyRaw(body)
		},
		Name:                 "xcri-proxy", // as long as the proxy's
		ReadTimeout:          10 * time.Second,
		IdleTimeout:          time.Minute,
		WriteTimeout:         90 * time.Second,
		ReadBufferSize:       16 << 10,
		Concurrency:          4000,
		NoDefaultContentType: true,
	}
}
