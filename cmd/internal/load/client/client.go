// Package client sends requests as a browser does, and checks the answers.
package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/load/visitors"
)

// readSize is the size of one read of an answer, in bytes.
const readSize = 64 << 10

// target is the destination of requests.
type target struct {
	scheme, addr, host string // host as in the Host header
	prefix             string // prefix of all paths
}

func newTarget(at *url.URL) target {
	t := target{scheme: at.Scheme, host: at.Host, prefix: at.EscapedPath()}
	port := at.Port()
	switch {
	case port != "":
	case at.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	t.addr = net.JoinHostPort(at.Hostname(), port)
	return t
}

// dial opens a connection.
func (t target) dial(ctx context.Context) (net.Conn, error) {
	if t.scheme == "https" {
		return (&tls.Dialer{}).DialContext(ctx, "tcp", t.addr)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", t.addr)
}

// Client sends requests in sequence on a kept connection. It is not safe for
// concurrent use.
type Client struct {
	target
	timeout time.Duration
	open    Dial

	conn    net.Conn // nil means not connected
	reader  *bufio.Reader
	fresh   bool // no answer was read from the connection yet
	request []byte
	Answer  // the last response
}

// Dial opens a connection.
type Dial func(context.Context) (net.Conn, error)

// New returns a client of the API at a URL. A request is answered within the timeout or
// fails. A nil dial opens connections to the URL's host.
func New(at *url.URL, timeout time.Duration, dial Dial) *Client {
	c := &Client{target: newTarget(at), timeout: timeout, open: dial}
	if dial == nil {
		c.open = c.dial
	}
	return c
}

// Close closes the connection.
func (c *Client) Close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// Exchange sends a request and reads the answer. A server may close a kept connection
// between requests. Exchange then sends the request again on a new connection and
// returns true for again.
func (c *Client) Exchange(r *visitors.Request, etag string, keep bool) (again bool, err error) {
	c.write(r, etag)
	err = c.once(r, keep)
	if errors.Is(err, errClosed) && !c.fresh {
		again = true
		err = c.once(r, keep)
	}
	return again, err
}

func (c *Client) once(r *visitors.Request, keep bool) error {
	deadline := time.Now().Add(c.timeout)
	if c.conn == nil {
		if err := c.connect(deadline); err != nil {
			return dialError{err}
		}
	}
	c.conn.SetDeadline(deadline)
	_, err := c.conn.Write(c.request)
	if err == nil {
		err = c.read(c.reader, r.Head, keep)
	} else if broken(err) {
		err = errClosed
	}
	if err != nil || c.last {
		c.Close()
	}
	if err == nil {
		c.fresh = false
	}
	return err
}

func (c *Client) connect(deadline time.Time) (err error) {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	if c.conn, err = c.open(ctx); err != nil {
		c.conn = nil
		return err
	}
	if c.reader == nil {
		c.reader = bufio.NewReaderSize(nil, readSize)
	}
	c.reader.Reset(c.conn)
	c.fresh = true
	return nil
}

// write writes the request with the headers of a browser that affect the answer.
func (c *Client) write(r *visitors.Request, etag string) {
	method := "GET "
	if r.Head {
		method = "HEAD "
	}
	b := append(c.request[:0], method...)
	b = append(b, c.prefix...)
	b = append(b, r.Target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.host...)
	b = append(b, "\r\nUser-Agent: xcri-proxy-load\r\nAccept: application/json, text/plain, */*\r\n"...)
	if r.Accept != "" {
		b = append(append(append(b, "Accept-Encoding: "...), r.Accept...), "\r\n"...)
	}
	if etag != "" {
		b = append(append(append(b, "If-None-Match: "...), etag...), "\r\n"...)
	}
	c.request = append(b, "\r\n"...)
}
