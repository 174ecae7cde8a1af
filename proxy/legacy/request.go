package legacy

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/budget"
)

// request is a request in the form in which it is sent.
type request struct {
	method string
	bytes  []byte
	wait   time.Duration // maximum wait for a connection
	room   *budget.Room  // for the answer's body; nil means no limit
}

// grow reserves room for n bytes of the answer.
func (r *request) grow(n int) error {
	if r.room != nil && !r.room.Grow(n) {
		return ErrRoom
	}
	return nil
}

// begin writes the request line, with a target below root, and the host.
func (r *request) begin(root *url.URL, target []byte) {
	r.bytes = append(r.bytes, r.method+" "+root.Path...)
	r.bytes = append(r.bytes, target...)
	r.bytes = append(r.bytes, " HTTP/1.1\r\n"...)
	r.header("Host", root.Host)
}

func (r *request) header(name, value string) {
	r.bytes = append(r.bytes, name+": "+value+"\r\n"...)
}

// end writes the headers that frame the body, and the body. A method that is not
// idempotent gets a new connection: the old API may close a kept connection as
// the request arrives, and the client could not know whether it was processed.
func (r *request) end(body []byte) {
	if !r.idempotent() {
		r.header("Connection", "close")
	}
	if len(body) > 0 || !r.idempotent() {
		r.header("Content-Length", strconv.Itoa(len(body)))
	}
	r.bytes = append(append(r.bytes, "\r\n"...), body...)
}

// idempotent reports whether the request may be sent twice. HTTP defines PUT and
// DELETE as idempotent too, but the old API has no such endpoint to verify that.
func (r *request) idempotent() bool {
	return r.method == fasthttp.MethodGet || r.isHead()
}

func (r *request) isHead() bool { return r.method == fasthttp.MethodHead }

// isLine reports whether text can be part of a request line: it contains no
// spaces and no control characters.
func isLine(text []byte) bool {
	return !bytes.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == 0x7f })
}

// mayAsk reports whether every server resolves a raw path below its root. A path
// that begins with two slashes names a host, and dot segments, plain or encoded,
// may lead above the root.
func mayAsk(path []byte) bool {
	if len(path) == 0 || path[0] != '/' || bytes.HasPrefix(path, []byte("//")) {
		return false
	}
	depth := 0
	isSlash := func(c rune) bool { return c == '/' || c == '\\' }
	for segment := range strings.FieldsFuncSeq(dotsAndSlashes.Replace(string(path)), isSlash) {
		switch segment {
		case ".":
		case "..":
			if depth--; depth < 0 {
				return false
			}
		default:
			depth++
		}
	}
	return true
}

// escaped returns a path with the characters percent-encoded that RFC 3986 allows in no
// path, as Apache does before it asks the old API. Browsers send some of them as they
// are. A query stays as it is, with Apache as here: uvicorn takes every visible character.
func escaped(path []byte) []byte {
	const hex = "0123456789ABCDEF"
	to := make([]byte, 0, len(path))
	for _, c := range path {
		if c < 0x80 && !strings.ContainsRune("\"<>[\\]^`{|}", rune(c)) {
			to = append(to, c)
			continue
		}
		to = append(to, '%', hex[c>>4], hex[c&15])
	}
	return to
}

// isEscaped reports whether each percent sign of a path begins an encoded character.
// Apache refuses other paths.
func isEscaped(path []byte) bool {
	isHex := func(c byte) bool { return c-'0' < 10 || c|0x20 >= 'a' && c|0x20 <= 'f' }
	for i, c := range path {
		if c == '%' && (len(path)-i < 3 || !isHex(path[i+1]) || !isHex(path[i+2])) {
			return false
		}
	}
	return true
}

// dotsAndSlashes decodes percent-encoded dots, slashes and backslashes.
var dotsAndSlashes = strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", `\`, "%5C", `\`)
