package legacy

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// Visitor describes a request's client and target.
type Visitor struct {
	// Path is the raw path below the API's root.
	Path []byte
	// Query is the query with its question mark; may be empty.
	Query []byte
	// Prefix is the path before Path, such as /iz/xcri/api; may be empty.
	Prefix string
	// RequestID replaces the client's X-Request-Id, which can't be trusted; empty means no
	// such header.
	RequestID string
}

// forwardWait limits the time that a forwarded request waits for a connection.
// When all connections hang, further requests fail soon.
const forwardWait = time.Second

// visits returns the limit of concurrent forwarded requests other than feedback: of three
// or more connections, one is reserved for feedback.
func visits(conns int) int {
	if conns < 3 {
		return conns
	}
	return conns - 1
}

// isFeedback reports whether a request is for the feedback endpoint. A visitor would
// have to write rejected feedback again.
func isFeedback(v Visitor) bool {
	return strings.TrimSuffix(string(v.Path), "/") == "/feedback"
}

// Forward sends the request to the old API and copies the answer into the
// response. Method, path, query, body and end-to-end headers are unchanged. The
// answer replaces the response. After an error, which is an error of this
// package, the response is unchanged.
func (c *Client) Forward(ctx *fasthttp.RequestCtx, v Visitor) error {
	r := request{method: string(ctx.Method()), wait: forwardWait}
	if !mayAsk(v.Path) || !isEscaped(v.Path) || !isLine(v.Path) || !isLine(v.Query) || !isToken(ctx.Method()) {
		return fmt.Errorf("%w: %.100q", ErrTarget, v.Path)
	}
	p := pageOf(v)
	if p != nil && ctx.IsHead() {
		r.method = fasthttp.MethodGet // the length of a rewritten page is known only from its body
	}
	room := c.opts.Room.Room()
	r.room = &room
	ctx.SetUserValue(roomKey, r.room) // closed after the answer was sent
	from := c.opts.TrustedProxies.Of(ctx)
	r.begin(c.root, append(escaped(v.Path), v.Query...))
	r.visitorHeaders(&ctx.Request.Header, p != nil)
	r.addVisitor(from)
	if v.RequestID != "" {
		r.header("X-Request-Id", v.RequestID)
	}
	r.end(ctx.Request.Body())

	// The context of a request ends with the server, not with the client's connection.
	limited, cancel := context.WithTimeout(context.Background(), c.opts.Timeout)
	defer cancel()
	if !isFeedback(v) {
		if err := enter(limited, c.visits, forwardWait); err != nil {
			return c.failed(context.Background(), err)
		}
		defer func() { <-c.visits }()
	}
	resp, err := c.do(limited, &r)
	if err == nil {
		err = c.checkWhole(limited, resp)
	}
	if err != nil {
		return c.failed(context.Background(), err)
	}
	c.outage.over()
	if p != nil && resp.StatusCode() == fasthttp.StatusOK && len(resp.Header.ContentEncoding()) == 0 {
		resp.SetBodyRaw(p(resp.Body(), v.Prefix))
		resp.Header.SetContentLength(unknown)
	}
	for _, name := range []string{fasthttp.HeaderLocation, fasthttp.HeaderContentLocation} {
		if location := resp.Header.Peek(name); len(location) > 0 {
			resp.Header.Set(name, c.relocate(string(location), v.Prefix, from.Host))
		}
	}
	passBack(ctx, resp)
	return nil
}

// roomKey is the key of the user value that holds the room of a request's answer.
const roomKey = "legacy.room"

// unknown is the length of a body without a declared length.
const unknown = -2

// passBack copies an answer into the response of ctx.
func passBack(ctx *fasthttp.RequestCtx, resp *fasthttp.Response) {
	out := &ctx.Response
	out.Reset()
	out.Header.SetNoDefaultContentType(true)
	out.Header.SetStatusCode(resp.StatusCode())
	out.Header.SetStatusMessage(resp.Header.StatusMessage())
	oneHop := oneHopOnly(resp.Header.PeekAll(fasthttp.HeaderConnection))
	for name, value := range resp.Header.All() {
		if !oneHop[string(name)] {
			out.Header.AddBytesKV(name, value)
		}
	}
	if ctx.IsHead() {
		out.SkipBody = true
		if body := resp.Body(); len(body) > 0 {
			out.SetBodyRaw(body) // for its length
		} else if length := resp.Header.ContentLength(); length >= 0 {
			out.Header.SetContentLength(length)
		}
		return
	}
	out.SetBodyRaw(resp.Body())
}

// hopHeaders are the headers that apply to one connection, or are set anew for
// each connection.
var hopHeaders = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Proxy-Authorization", "Proxy-Authenticate", "Expect", "Content-Length", "Host",
}

// oneHopOnly returns the headers that are not passed on, including the headers
// that Connection names, as fasthttp normalizes the names.
func oneHopOnly(connection [][]byte) map[string]bool {
	names := map[string]bool{}
	for _, name := range hopHeaders {
		names[name] = true
	}
	for _, value := range connection {
		for name := range strings.SplitSeq(string(value), ",") {
			names[string(fasthttp.AppendNormalizedHeaderKey(nil, strings.TrimSpace(name)))] = true
		}
	}
	return names
}

// claims are headers in which a client could claim another address, path or method, and
// headers of an upgrade: an application that believes them expects a proxy to set them.
var claims = []string{
	"Forwarded", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "X-Request-Id", "Proxy",
	"X-Original-Url", "X-Rewrite-Url", "X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "Http2-Settings",
}

// visitorHeaders copies the client's headers, except claims. A page that will be
// rewritten is requested uncompressed and complete.
func (r *request) visitorHeaders(h *fasthttp.RequestHeader, plain bool) {
	skip := oneHopOnly(h.PeekAll(fasthttp.HeaderConnection))
	for _, name := range append(claims, fasthttp.HeaderCookie, fasthttp.HeaderVia) {
		skip[name] = true
	}
	r.header(fasthttp.HeaderVia, via(h))
	if plain {
		for _, name := range []string{"Accept-Encoding", "Range", "If-Range"} {
			skip[name] = true
		}
		r.header("Accept-Encoding", "identity")
	}
	for _, cookies := range h.PeekAll(fasthttp.HeaderCookie) {
		r.header("Cookie", string(cookies)) // All would reformat cookies
	}
	for name, value := range h.All() {
		forwarded := bytes.HasPrefix(name, []byte("X-Forwarded-"))
		if !forwarded && !skip[string(name)] && isPlain(name) && !bytes.ContainsAny(value, "\r\n") {
			r.header(string(name), string(value))
		}
	}
}

// via returns the value of Via: the entries of earlier proxies, and its own.
// Source: RFC 9110, 7.6.3.
func via(h *fasthttp.RequestHeader) string {
	version := "1.1"
	if !h.IsHTTP11() {
		version = "1.0"
	}
	hops := append(h.PeekAll(fasthttp.HeaderVia), []byte(version+" xcri-proxy"))
	return string(bytes.Join(hops, []byte(", ")))
}

// isPlain reports whether the name of a header has letters, digits and hyphens only.
// Servers that pass headers as variables turn any other character into an underscore, as
// they do with hyphens: X_Forwarded_For and X.Forwarded.For would be read as our
// X-Forwarded-For.
func isPlain(name []byte) bool {
	return len(name) > 0 && !bytes.ContainsFunc(name, func(c rune) bool {
		return c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z')
	})
}

// isToken reports whether text can be a method.
func isToken(text []byte) bool {
	return len(text) > 0 && !bytes.ContainsFunc(text, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

// checkWhole returns an error for an answer with correct framing whose body was
// truncated before it was framed.
func (c *Client) checkWhole(ctx context.Context, resp *fasthttp.Response) error {
	body := resp.Body()
	if resp.SkipBody || len(body) == 0 {
		return nil
	}
	var err error
	switch string(resp.Header.ContentEncoding()) {
	case "":
		if isJSON(resp) && !json.Valid(body) {
			err = errNoJSON
		}
	case "gzip":
		select {
		case c.checking <- struct{}{}:
			err = checkCompressed(body, isJSON(resp))
			<-c.checking
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err != nil {
		return fmt.Errorf("%w: status %d: %w", ErrAnswer, resp.StatusCode(), err)
	}
	return nil
}

// errNoJSON reports a body that is not a complete JSON text.
var errNoJSON = errors.New("a body that is not JSON")

// checkCompressed returns an error if a compressed body is incomplete, inflates to
// more than MaxAnswer, or is declared as JSON and is not. It inflates the body in
// pieces, so that a small body can't allocate much memory.
func checkCompressed(body []byte, isJSON bool) error {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("its compressed body: %w", err)
	}
	plain := &counted{from: z}
	if isJSON {
		if err = checkTokens(plain); err != nil && (plain.err == nil || plain.err == io.EOF) {
			return errNoJSON
		}
	}
	for plain.err == nil {
		plain.token = 0
		io.CopyN(io.Discard, plain, 64<<10) // counted keeps the error
	}
	if plain.err != nil && plain.err != io.EOF {
		return fmt.Errorf("its compressed body: %w", plain.err)
	}
	return err
}

// checkTokens reads one JSON text.
func checkTokens(from *counted) error {
	d := json.NewDecoder(from)
	d.UseNumber() // a number may be too large for a float
	depth, texts := 0, 0
	for {
		token, err := d.Token()
		switch {
		case err == io.EOF && depth == 0 && texts == 1:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > deepest {
			return errNoJSON
		}
		if depth == 0 {
			texts++
		}
		from.token = 0
	}
}

// Limits of a compressed JSON text: its nesting, which encoding/json limits too,
// and the bytes of a token.
const deepest, longestToken = 10_000, 4 << 20

// counted reads at most MaxAnswer bytes in total and longestToken bytes for a
// token, and keeps the first error.
type counted struct {
	from        io.Reader
	read, token int
	err         error
}

func (c *counted) Read(b []byte) (n int, err error) {
	if c.err != nil {
		return 0, c.err
	}
	n, c.err = c.from.Read(b)
	c.read, c.token = c.read+n, c.token+n
	switch {
	case c.read > MaxAnswer:
		c.err = fmt.Errorf("more than %d bytes", MaxAnswer)
	case c.token > longestToken:
		c.err = fmt.Errorf("more than %d bytes in one piece", longestToken)
	}
	return n, c.err
}
