package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"time"
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

// dialError reports a failure to open a connection.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// client sends requests in sequence on a kept connection. It is not safe for
// concurrent use.
type client struct {
	target
	timeout time.Duration
	open    func(context.Context) (net.Conn, error) // dial, except in tests

	conn    net.Conn // nil means not connected
	reader  *bufio.Reader
	fresh   bool // no answer was read from the connection yet
	request []byte
	answer
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// exchange sends a request and reads the answer. A server may close a kept connection
// between requests. exchange then sends the request again on a new connection and
// returns true for again.
func (c *client) exchange(r *Request, etag string, keep bool) (again bool, err error) {
	c.write(r, etag)
	err = c.once(r, keep)
	if errors.Is(err, errClosed) && !c.fresh {
		again = true
		err = c.once(r, keep)
	}
	return again, err
}

func (c *client) once(r *Request, keep bool) error {
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
		c.close()
	}
	if err == nil {
		c.fresh = false
	}
	return err
}

func (c *client) connect(deadline time.Time) (err error) {
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
func (c *client) write(r *Request, etag string) {
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

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
