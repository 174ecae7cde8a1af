// Package adminclient calls the pages below /cache of a running proxy.
package adminclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/config"
)

const (
	// MaxTimeout limits one call.
	MaxTimeout = 10 * time.Second
	// maxAnswer is larger than any answer of these pages, in bytes.
	maxAnswer = 8 << 20
)

// Client calls one proxy. It is safe for concurrent use.
type Client struct {
	base    string // of all URLs
	name    string // of the proxy, in errors
	token   string
	timeout time.Duration
	http    *http.Client
}

// Options configure a Client.
type Options struct {
	// URL is http://host:port, or the URL of the site with the proxy's base path.
	// If it is empty, Addr counts.
	URL string
	// Addr is the address that the proxy listens on, as host:port or unix:/path. The
	// setting that holds it is for errors.
	Addr, Setting string
	// Token is the admin token; empty means none.
	Token string
	// Timeout limits one call; zero means MaxTimeout.
	Timeout time.Duration
}

// New returns a Client.
func New(opts Options) (*Client, error) {
	c := &Client{base: strings.TrimRight(opts.URL, "/"), token: opts.Token, timeout: opts.Timeout, http: Direct()}
	if c.timeout == 0 {
		c.timeout = MaxTimeout
	}
	path, isSocket := config.UnixPath(opts.Addr)
	switch u, err := url.Parse(c.base); {
	case opts.URL == "" && isSocket:
		c.base, c.name, c.http = "http://localhost", opts.Addr, overSocket(path)
		return c, nil
	case opts.URL == "":
		if c.base, err = baseURL(opts.Addr); err != nil {
			return nil, fmt.Errorf("%s=%q %w with --%s", opts.Setting, opts.Addr, err, config.Key{Name: opts.Setting}.Flag())
		}
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil:
		return nil, errors.New("--url: want http://host:port or https://host/path")
	}
	c.name = c.base
	return c, nil
}

// Direct returns an HTTP client that ignores the proxies that the environment
// names, and that does not follow redirects.
func Direct() *http.Client { return over(&http.Transport{DisableKeepAlives: true}) }

// overSocket returns a client like Direct that connects to a Unix socket and ignores the
// URL's host.
func overSocket(path string) *http.Client {
	return over(&http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}})
}

func over(transport *http.Transport) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var errOpenPort = errors.New("leaves the port open; name the port in use")

// baseURL returns the URL of a proxy that listens on addr. A wildcard address is
// replaced by the loopback address.
func baseURL(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if port == "0" {
		return "", errOpenPort
	}
	ip, _ := netip.ParseAddr(host)
	switch {
	case ip == netip.IPv6Unspecified():
		host = "::1"
	case host == "" || ip.IsValid() && ip.IsUnspecified():
		host = "127.0.0.1"
	}
	target := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
	return target.String(), nil
}

// call sends a request for a page, with question as its body unless that is nil,
// and reads the answer into answer. Its error is an *Error.
func (c *Client) call(ctx context.Context, method, page string, question, answer any) error {
	body := &bytes.Buffer{}
	if question != nil {
		enc := json.NewEncoder(body)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(question); err != nil {
			return c.fail(Failed, err.Error()) // not reached: plain texts
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+page, body)
	if err != nil {
		return c.fail(Failed, err.Error())
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	req.Header.Set("Content-Type", "application/json")
	status, got, err := c.send(req)
	if err != nil {
		return err
	}
	return c.read(status, got, answer)
}

// send returns the status and the body of the answer to req, within the timeout.
// Its error is an *Error and does not repeat the URL.
func (c *Client) send(req *http.Request) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(req.Context(), c.timeout)
	defer cancel()
	resp, err := c.http.Do(req.WithContext(ctx))
	if err == nil {
		defer resp.Body.Close()
		if body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err == nil {
			return resp.StatusCode, body, nil
		}
	}
	if urlErr := (*url.Error)(nil); errors.As(err, &urlErr) {
		err = urlErr.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return 0, nil, &Error{Unreachable, c.name, "no answer", err}
	}
	return 0, nil, &Error{Unreachable, c.name, err.Error(), err}
}

// read decodes an answer.
func (c *Client) read(status int, body []byte, answer any) error {
	var refusal struct{ Detail any }
	ours := status/100 != 2 && json.Unmarshal(body, &refusal) == nil && refusal.Detail != nil
	switch {
	case ours && (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable):
		return c.fail(Unreachable, fmt.Sprintf("is busy: %v", refusal.Detail))
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		return c.fail(Unreachable, fmt.Sprintf("got HTTP %d", status))
	case status/100 == 2:
		if json.Unmarshal(body, answer) != nil {
			return c.NotOurs()
		}
		return nil
	case !ours:
		return c.fail(Failed, fmt.Sprintf("got HTTP %d with an answer that is not xcri-proxy's", status))
	case status == http.StatusUnprocessableEntity:
		return c.fail(Rejected, fmt.Sprint(refusal.Detail))
	}
	return c.fail(Failed, fmt.Sprintf("got HTTP %d: %v", status, refusal.Detail))
}
