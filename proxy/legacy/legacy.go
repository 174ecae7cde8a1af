// Package legacy speaks to the old API over HTTP: it fetches answers for the
// cache and forwards the requests that are none of ours.
package legacy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/valyala/fasthttp"
)

var (
	// ErrUnavailable means that no connection could be had, or that it broke.
	ErrUnavailable = errors.New("the old API is not available")
	// ErrTimeout means that no answer came in time.
	ErrTimeout = errors.New("the old API took too long")
	// ErrAnswer means that what came is no answer that could be passed on.
	ErrAnswer = errors.New("the old API's answer is broken")
)

// Options say where the old API is. URL is required.
type Options struct {
	// URL of the old API's root, without a final slash.
	URL string
	// Timeout bounds one answer, MaxConns the connections open at once; zero
	// means 15 s and 4.
	Timeout  time.Duration
	MaxConns int
	// TrustedProxies are believed when they say who a visitor is.
	TrustedProxies []netip.Prefix
	// Logger takes what no client is told; nil discards it.
	Logger *slog.Logger
}

// Client speaks to one old API. It is safe for concurrent use.
type Client struct {
	opts Options
	root *url.URL
	http *fasthttp.HostClient
}

// Answer is what the old API says to a question: a JSON text.
type Answer struct {
	Status int
	Body   []byte // the caller's
}

// New returns a Client that has not connected yet.
func New(opts Options) (*Client, error) {
	root, err := url.Parse(opts.URL)
	if err != nil || root.Host == "" {
		return nil, fmt.Errorf("legacy: %q is not a URL", opts.URL)
	}
	if opts.Timeout == 0 {
		opts.Timeout = 15 * time.Second
	}
	if opts.MaxConns == 0 {
		opts.MaxConns = 4
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	addr := root.Host
	if root.Port() == "" {
		addr = net.JoinHostPort(root.Hostname(), "80")
	}
	return &Client{opts: opts, root: root, http: &fasthttp.HostClient{Addr: addr, MaxConns: opts.MaxConns}}, nil
}

// Close closes the connections that nobody uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Fetch asks for a target below the old API's root, a path with its query. The
// error is one of this package's, or that of ctx.
func (c *Client) Fetch(ctx context.Context, target string) (Answer, error) {
	return Answer{}, ErrUnavailable
}

// Visitor is what a request says of who sent it and what it asked for.
type Visitor struct {
	// Path is the raw path below the API's root.
	Path []byte
	// Prefix is what stood before it, such as /iz/xcri/api; may be empty.
	Prefix string
}

// Forward passes a request on and its answer back. On an error, one of this
// package's, the response is untouched.
func (c *Client) Forward(ctx *fasthttp.RequestCtx, v Visitor) error {
	return ErrUnavailable
}
