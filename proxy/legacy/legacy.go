// Package legacy is the HTTP client for the old API: it fetches answers for the
// cache and forwards requests that the proxy does not answer itself.
//
// An incomplete answer is an error, and a request that is not idempotent is sent
// at most once.
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
	// ErrUnavailable means that no connection was available, or that it broke.
	ErrUnavailable = errors.New("the old API is not available")
	// ErrBusy is an ErrUnavailable: all connections were in use.
	ErrBusy = fmt.Errorf("%w: all connections to it are in use", ErrUnavailable)
	// ErrRoom is an ErrUnavailable: the memory budget had no room for the answer.
	ErrRoom = fmt.Errorf("%w: its answers take more memory than they may", ErrUnavailable)
	// ErrUnreached is an ErrUnavailable: no connection could be opened, so the
	// request was not sent.
	ErrUnreached = fmt.Errorf("%w: no connection to it", ErrUnavailable)
	// ErrTimeout means that no answer arrived within the timeout.
	ErrTimeout = errors.New("the old API took too long")
	// ErrAnswer means that the answer is invalid and can't be passed on.
	ErrAnswer = errors.New("the old API's answer is broken")
	// ErrTarget means that a request target is not allowed: it is not below the
	// root, or contains characters that a request line must not.
	ErrTarget = errors.New("not a path of the old API")
)

// MaxAnswer is the maximum size of a body in bytes.
const MaxAnswer = 32 << 20

// Options configure a Client. URL is required.
type Options struct {
	// URL of the old API's root, http or https, without a final slash.
	URL string
	// Timeout limits the time to answer a request, and MaxConns the open connections; zero
	// means 15 s and 4. Fetch uses all connections but one, and so does Forward for
	// requests other than feedback.
	Timeout  time.Duration
	MaxConns int
	// Room is the memory budget for answers of Forward until they have been sent;
	// nil means no limit.
	Room *budget.Budget
	// Fetched is the memory budget for answers of Fetch until they are complete; nil
	// means no limit.
	Fetched *budget.Budget
	// TrustedProxies are the proxies whose headers about the client are trusted.
	TrustedProxies visitor.Trust
	// Logger receives details of failures, which clients do not get; nil discards
	// them.
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

// Client sends requests to one old API. It is safe for concurrent use.
type Client struct {
	opts     Options
	root     *url.URL
	pool     *pool
	fetching chan struct{} // holds an element for each Fetch under way
	visits   chan struct{} // holds an element for each Forward under way, except of feedback
	checking chan struct{} // holds an element while a compressed answer is inflated
	counts   counts
	outage   outage
}

// Answer is the old API's answer to a request: a JSON text.
type Answer struct {
	Status int
	Body   []byte // owned by the caller
}

// New returns a Client that has not connected yet.
func New(opts Options) (*Client, error) {
	root, err := url.Parse(opts.URL)
	switch {
	case err != nil || root.Hostname() == "" || root.Scheme != "http" && root.Scheme != "https":
		return nil, errors.New("legacy: not the URL of a server, such as http://127.0.0.1:8001") // the message omits the URL, which may contain a password
	case root.User != nil || root.RawQuery != "" || root.Fragment != "":
		return nil, errors.New("legacy: the URL may have a path, and neither an account nor a query")
	}
	opts = opts.withDefaults()
	root.Path = strings.TrimRight(root.EscapedPath(), "/")
	return &Client{
		opts: opts, root: root, pool: newPool(root, opts.MaxConns),
		fetching: make(chan struct{}, max(1, opts.MaxConns-1)), checking: make(chan struct{}, 1),
		visits: make(chan struct{}, visits(opts.MaxConns)),
		outage: outage{log: opts.Logger},
	}, nil
}

// Close closes the idle connections. Connections in use are closed after their
// request.
func (c *Client) Close() { c.pool.close() }

// Fetch requests a target below the old API's root, a path with its query. It
// waits for a connection until ctx ends or the timeout has passed. The error is
// an error of this package or of ctx. A status of 5xx, 3xx or 429 is an error,
// except 501, which the old API sends for features that it never had.
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
	// Check ctx too: select may choose the free slot although ctx has ended.
	if err := cmp.Or(ctx.Err(), limited.Err()); err != nil {
		return Answer{}, c.failed(ctx, err)
	}
	room := c.opts.Fetched.Room()
	defer room.Close()
	r := request{method: fasthttp.MethodGet, wait: c.opts.Timeout, room: &room}
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

// StatusError is an ErrAnswer: the status means that the answer can't be stored.
type StatusError struct{ Status int }

func (e *StatusError) Error() string { return fmt.Sprintf("%v: status %d", ErrAnswer, e.Status) }

// Unwrap returns ErrAnswer.
func (e *StatusError) Unwrap() error { return ErrAnswer }

// checkJSON returns an error unless the answer may be stored.
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
