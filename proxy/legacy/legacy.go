// Package legacy speaks to the old API over HTTP: it fetches answers for the
// cache and forwards the requests that are none of ours.
//
// An answer is taken whole or not at all, and a request that is not idempotent
// is sent at most once.
package legacy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/budget"
	"github.com/lewistv/xcri-proxy/proxy/visitor"
)

var (
	// ErrUnavailable means that no connection could be had, or that it broke.
	ErrUnavailable = errors.New("the old API is not available")
	// ErrBusy is the ErrUnavailable of a request that found all connections in
	// use.
	ErrBusy = fmt.Errorf("%w: all connections to it are in use", ErrUnavailable)
	// ErrRoom is the ErrUnavailable of an answer that there is no memory for.
	ErrRoom = fmt.Errorf("%w: too many of its answers are being passed on", ErrUnavailable)
	// ErrUnreached is the ErrUnavailable of a request that was not sent, because
	// no connection could be opened.
	ErrUnreached = fmt.Errorf("%w: no connection to it", ErrUnavailable)
	// ErrTimeout means that no answer came in time.
	ErrTimeout = errors.New("the old API took too long")
	// ErrAnswer means that what came is no answer that could be passed on.
	ErrAnswer = errors.New("the old API's answer is broken")
	// ErrTarget means that a path is none that may be asked for: it is not below
	// the root, or holds what no request line may.
	ErrTarget = errors.New("not a path of the old API")
)

// MaxAnswer is the size in bytes of the largest body that is taken.
const MaxAnswer = 32 << 20

// Options say where the old API is. URL is required.
type Options struct {
	// URL of the old API's root, http or https, without a final slash.
	URL string
	// Timeout bounds one answer, MaxConns the connections open at once; all but
	// one may fetch. Zero means 15 s and 4.
	Timeout  time.Duration
	MaxConns int
	// Room is the memory that answers of Forward take until they have been passed on;
	// nil has no limit.
	Room *budget.Budget
	// TrustedProxies are believed when they report who a visitor is.
	TrustedProxies visitor.Trust
	// Logger takes what no client is told; nil discards it.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	if o.MaxConns == 0 {
		o.MaxConns = 4
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Client speaks to one old API. It is safe for concurrent use.
type Client struct {
	opts     Options
	root     *url.URL
	pool     *pool
	fetching chan struct{} // has one in it for each Fetch under way
	checking chan struct{} // has one in it while a compressed answer is inflated
	counts   counts
	outage   outage
}

// Answer is what the old API says to a question: a JSON text.
type Answer struct {
	Status int
	Body   []byte // the caller's
}

// New returns a Client that has not connected yet.
func New(opts Options) (*Client, error) {
	root, err := url.Parse(opts.URL)
	switch {
	case err != nil || root.Hostname() == "" || root.Scheme != "http" && root.Scheme != "https":
		return nil, errors.New("legacy: not the URL of a server, such as http://127.0.0.1:8001") // it may hold a password
	case root.User != nil || root.RawQuery != "" || root.Fragment != "":
		return nil, errors.New("legacy: the URL may have a path, and neither an account nor a query")
	}
	opts = opts.withDefaults()
	root.Path = strings.TrimRight(root.EscapedPath(), "/")
	return &Client{
		opts: opts, root: root, pool: newPool(root, opts.MaxConns),
		fetching: make(chan struct{}, max(1, opts.MaxConns-1)), checking: make(chan struct{}, 1),
		outage: outage{log: opts.Logger},
	}, nil
}

// Close closes the connections that nobody uses, and keeps none from then on.
func (c *Client) Close() { c.pool.close() }

// Fetch asks for a target below the old API's root, a path with its query. It
// waits its turn until ctx or the timeout ends. The error is one of this
// package's, or that of ctx. An answer of 5xx, 3xx or 429 is an error, except
// 501: the old API says so of what it never had.
func (c *Client) Fetch(ctx context.Context, target string) (Answer, error) {
	path, _, _ := strings.Cut(target, "?")
	if !mayAsk([]byte(path)) || !isLine([]byte(target)) {
		return Answer{}, fmt.Errorf("%w: %q", ErrTarget, target)
	}
	limited, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	select {
	case c.fetching <- struct{}{}:
		defer func() { <-c.fetching }()
	case <-limited.Done():
	}
	// Also if its turn came at the same moment, and limited hears of it later.
	if err := cmp.Or(ctx.Err(), limited.Err()); err != nil {
		return Answer{}, c.failed(ctx, err)
	}
	r := request{method: fasthttp.MethodGet, wait: c.opts.Timeout}
	r.begin(c.root, []byte(target))
	r.header("User-Agent", "xcri-proxy")
	r.header("Accept", "application/json")
	r.header("Accept-Encoding", "identity")
	r.end(nil)
	resp, err := c.do(limited, &r)
	if err == nil {
		err = checkJSON(resp)
	}
	if err != nil {
		return Answer{}, c.failed(ctx, err)
	}
	c.outage.over()
	return Answer{resp.StatusCode(), resp.Body()}, nil
}

// StatusError is the ErrAnswer of an answer whose status means that there is nothing
// to store.
type StatusError struct{ Status int }

func (e *StatusError) Error() string { return fmt.Sprintf("%v: status %d", ErrAnswer, e.Status) }

// Unwrap makes the error an ErrAnswer.
func (e *StatusError) Unwrap() error { return ErrAnswer }

// checkJSON tells an answer that may be stored from one that may not.
func checkJSON(resp *fasthttp.Response) error {
	status := resp.StatusCode()
	switch {
	case status == fasthttp.StatusTooManyRequests || status >= 300 && status < 400 ||
		status >= 500 && status != fasthttp.StatusNotImplemented:
		return &StatusError{status}
	case len(resp.Header.ContentEncoding()) > 0:
		return fmt.Errorf("%w: content coding %q", ErrAnswer, resp.Header.ContentEncoding())
	case !isJSON(resp):
		return fmt.Errorf("%w: status %d with content type %q", ErrAnswer, status, resp.Header.ContentType())
	case !json.Valid(resp.Body()):
		return fmt.Errorf("%w: status %d with a body that is not JSON", ErrAnswer, status)
	}
	return nil
}

func isJSON(resp *fasthttp.Response) bool {
	contentType, _, _ := strings.Cut(string(resp.Header.ContentType()), ";")
	return strings.EqualFold(strings.TrimSpace(contentType), "application/json")
}
