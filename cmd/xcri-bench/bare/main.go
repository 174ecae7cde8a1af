// Command bare is a fasthttp server that repeats one answer: the least work for a
// server on fasthttp. It fetches the answer with its headers from another server once.
// It has the limits of the proxy's server; with -no-timeouts only the limits that cost
// nothing. A timeout costs a clock reading and a timer for each read and write.
//
//	bare [-no-timeouts] LISTEN_ADDR URL [HEADER: VALUE]...
package main

import (
	"errors"
	"flag"
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
	flags := flag.NewFlagSet("bare", flag.ContinueOnError)
	untimed := flags.Bool("no-timeouts", false, "limit no read, write or idle time of clients")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if args = flags.Args(); len(args) < 2 {
		return errors.New("an address and a URL are needed")
	}
	answer, err := take(args[1], args[2:])
	if err != nil {
		return fmt.Errorf("take %s: %w", args[1], err)
	}
	s := server(answer)
	if *untimed {
		s.ReadTimeout, s.IdleTimeout, s.WriteTimeout = 0, 0, 0
	}
	return s.ListenAndServe(args[0])
}

// take requests a page with the given headers and returns the answer unchanged.
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
