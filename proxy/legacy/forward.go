package legacy

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// Visitor is what a request says of who sent it and what it asked for.
type Visitor struct {
	// Path is the raw path below the API's root.
	Path []byte
	// Query follows it, with its question mark; may be empty.
	Query []byte
	// Prefix is what stood before Path, such as /iz/xcri/api; may be empty.
	Prefix string
}

// forwardWait is how long a visitor's request waits for a connection: when all
// of them hang, the others need not.
const forwardWait = time.Second

// Forward passes a request on and its answer back: method, path, query, body and
// the headers that are not for one hop as they came. What the response held
// before is gone then. On an error, one of this package's, it is untouched.
func (c *Client) Forward(ctx *fasthttp.RequestCtx, v Visitor) error {
	r := request{method: string(ctx.Method()), wait: forwardWait}
	if !mayAsk(v.Path) || !isLine(v.Path) || !isLine(v.Query) || !isToken(ctx.Method()) {
		return fmt.Errorf("%w: %.100q", ErrTarget, v.Path)
	}
	p := pageOf(v)
	if p != nil && ctx.IsHead() {
		r.method = fasthttp.MethodGet // only the page itself tells its length
	}
	from := c.opts.TrustedProxies.Of(ctx)
	r.begin(c.root, append(bytes.Clone(v.Path), v.Query...))
	r.visitorHeaders(&ctx.Request.Header, p != nil)
	r.addVisitor(from)
	r.end(ctx.Request.Body())

	// The context of a request ends with the server, not with the visitor.
	limited, cancel := context.WithTimeout(context.Background(), c.opts.Timeout)
	defer cancel()
	resp, err := c.do(limited, &r)
	if err == nil {
		err = checkWhole(resp)
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

// unknown is the length of a body that none was told for.
const unknown = -2

// passBack makes an answer that of ctx.
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

// hopHeaders concern one connection, or are made anew for each.
var hopHeaders = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Proxy-Authorization", "Proxy-Authenticate", "Expect", "Content-Length", "Host",
}

// oneHopOnly are the headers that are not passed on, those that Connection names
// among them, in the form that fasthttp gives to names.
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

// visitorHeaders copies the visitor's headers, but not what they say of who the
// visitor is. A page that is changed on its way back has to come plain and whole.
func (r *request) visitorHeaders(h *fasthttp.RequestHeader, plain bool) {
	skip := oneHopOnly(h.PeekAll(fasthttp.HeaderConnection))
	for _, name := range []string{"Forwarded", "X-Real-Ip", fasthttp.HeaderCookie, fasthttp.HeaderVia, "Proxy"} {
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
		r.header("Cookie", string(cookies)) // All would write them anew
	}
	for name, value := range h.All() {
		// An underscore becomes a hyphen, or both become one, where a server hands
		// headers on as variables: X_Forwarded_For would pass for our X-Forwarded-For.
		forwarded := bytes.HasPrefix(name, []byte("X-Forwarded-")) || bytes.IndexByte(name, '_') >= 0
		if !forwarded && !skip[string(name)] && isToken(name) && !bytes.ContainsAny(value, "\r\n") {
			r.header(string(name), string(value))
		}
	}
}

// via returns the value of Via: of the proxies before this one, and its own.
// Source: RFC 9110, 7.6.3.
func via(h *fasthttp.RequestHeader) string {
	version := "1.1"
	if !h.IsHTTP11() {
		version = "1.0"
	}
	hops := append(h.PeekAll(fasthttp.HeaderVia), []byte(version+" xcri-proxy"))
	return string(bytes.Join(hops, []byte(", ")))
}

// isToken reports whether text can be a method or the name of a header.
func isToken(text []byte) bool {
	return len(text) > 0 && !bytes.ContainsFunc(text, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

// checkWhole finds out what the framing of an answer can't tell: that its body
// was cut before it was framed.
func checkWhole(resp *fasthttp.Response) error {
	body := resp.Body()
	if resp.SkipBody || len(body) == 0 {
		return nil
	}
	if string(resp.Header.ContentEncoding()) == "gzip" {
		var err error
		if body, err = inflate(body); err != nil {
			return fmt.Errorf("%w: its compressed body: %w", ErrAnswer, err)
		}
	} else if len(resp.Header.ContentEncoding()) > 0 {
		return nil
	}
	if isJSON(resp) && !json.Valid(body) {
		return fmt.Errorf("%w: status %d with a body that is not JSON", ErrAnswer, resp.StatusCode())
	}
	return nil
}

func inflate(body []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(r, MaxAnswer+1))
	if err == nil && len(plain) > MaxAnswer {
		err = fmt.Errorf("more than %d bytes", MaxAnswer)
	}
	return plain, err
}
