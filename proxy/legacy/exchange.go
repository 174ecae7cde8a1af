package legacy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"time"

	"github.com/valyala/fasthttp"
)

// errHungUp means that the connection was closed before the first byte of an
// answer. This is normal on a kept connection that the old API closes as idle.
var errHungUp = errors.New("closed without an answer")

// do sends a request and reads the complete answer. A request that is not
// idempotent gets a new connection. Any other request may use a kept connection;
// if the old API has just closed it, the request is sent again on a new
// connection, once.
func (c *Client) do(ctx context.Context, r *request) (*fasthttp.Response, error) {
	c.counts.requests.Add(1)
	if err := c.pool.enter(ctx, r.wait); err != nil {
		return nil, err
	}
	defer c.pool.leave()
	if ctx.Err() != nil {
		return nil, ctx.Err() // ctx ended during the wait for a slot
	}
	begun := time.Now()
	if r.idempotent() {
		if kept := c.pool.take(); kept != nil {
			resp, err := c.exchange(ctx, kept, r)
			if !errors.Is(err, errHungUp) {
				c.counts.took(begun, err)
				return resp, err
			}
			c.counts.resent.Add(1)
		}
	}
	opened, err := c.pool.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreached, err)
	}
	resp, err := c.exchange(ctx, opened, r)
	c.counts.took(begun, err)
	return resp, err
}

// exchange sends a request over a connection, reads the answer, and closes or
// keeps the connection. The end of ctx interrupts it.
func (c *Client) exchange(ctx context.Context, over *conn, r *request) (*fasthttp.Response, error) {
	stop := context.AfterFunc(ctx, func() { over.SetDeadline(time.Unix(1, 0)) })
	resp, err := over.exchange(r)
	undisturbed := stop()
	if err == nil && undisturbed && r.idempotent() && !resp.ConnectionClose() && over.from.Buffered() == 0 {
		c.pool.keep(over)
	} else {
		over.Close()
	}
	return resp, err
}

func (c *conn) exchange(r *request) (*fasthttp.Response, error) {
	_, err := c.Write(r.bytes)
	if err == nil {
		_, err = c.from.Peek(1)
	}
	var late net.Error
	switch {
	case err == nil:
		return c.read(r)
	case errors.As(err, &late) && late.Timeout():
		return nil, broken(err)
	}
	return nil, fmt.Errorf("%w: %w: %w", ErrUnavailable, errHungUp, err)
}

// interimAnswers is the maximum of 1xx answers before the final answer.
const interimAnswers = 8

// read reads an answer. An answer without a declared length is an error: it ends
// with the connection, so a truncated body can't be detected.
func (c *conn) read(r *request) (*fasthttp.Response, error) {
	resp := &fasthttp.Response{SkipBody: r.isHead()}
	resp.Header.SetNoDefaultContentType(true)
	for i := 0; i == 0 || resp.StatusCode() < 200; i++ {
		if i > interimAnswers || resp.StatusCode() == fasthttp.StatusSwitchingProtocols {
			return nil, fmt.Errorf("%w: status %d", ErrAnswer, resp.StatusCode())
		}
		if err := resp.Header.Read(c.from); err != nil {
			return nil, broken(err)
		}
	}
	if r.isHead() || resp.StatusCode() == fasthttp.StatusNoContent || resp.StatusCode() == fasthttp.StatusNotModified {
		return resp, nil
	}
	body, err := readBody(c.from, &resp.Header, r.grow)
	switch {
	case errors.Is(err, ErrAnswer), errors.Is(err, ErrRoom):
		return nil, err
	case err != nil:
		return nil, broken(err)
	case c.from.Buffered() > 0:
		return nil, fmt.Errorf("%w: it is longer than it says", ErrAnswer)
	}
	resp.SetBodyRaw(body)
	return resp, nil
}

// readBody reads a body with a length or in chunks. It calls grow before it
// allocates memory.
func readBody(from *bufio.Reader, h *fasthttp.ResponseHeader, grow func(int) error) (body []byte, err error) {
	length := h.ContentLength()
	switch {
	case length > MaxAnswer:
		return nil, fmt.Errorf("%w: its body has %d bytes", ErrAnswer, length)
	case length >= 0:
		if err := grow(length); err != nil {
			return nil, err
		}
		body = make([]byte, length)
		_, err = io.ReadFull(from, body)
		return body, err
	case length < -1:
		return nil, fmt.Errorf("%w: its length is not declared", ErrAnswer)
	}
	if body, err = readChunks(httputil.NewChunkedReader(from), grow); err != nil {
		return nil, err
	}
	return body, h.ReadTrailer(from)
}

// readChunks reads a chunked body.
func readChunks(from io.Reader, grow func(int) error) (body []byte, err error) {
	for err == nil {
		if len(body) == cap(body) {
			next := max(4<<10, 2*cap(body))
			if err := grow(next - cap(body)); err != nil {
				return nil, err
			}
			body = append(make([]byte, 0, next), body...)
		}
		var n int
		n, err = from.Read(body[len(body):cap(body)])
		if body = body[:len(body)+n]; len(body) > MaxAnswer {
			return nil, fmt.Errorf("%w: its body has more than %d bytes", ErrAnswer, MaxAnswer)
		}
	}
	if err != io.EOF {
		return nil, err
	}
	return body, nil
}

// broken converts a read error: the connection ended, or the received bytes are
// invalid. The original error may contain a long piece of the bytes.
func broken(err error) error {
	var network net.Error
	switch {
	case errors.As(err, &network) && network.Timeout() || errors.Is(err, fasthttp.ErrTimeout):
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	case errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it broke off: %.150s", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %.150s", ErrAnswer, err)
}
