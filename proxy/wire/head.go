package wire

import (
	"bytes"
	"errors"
	"net/netip"
)

// Head is the checked head of a request: its request line and fields. Its slices are
// valid until the next read from the connection.
type Head struct {
	Method, Target []byte
	// AcceptEncoding and IfNoneMatch are the values of these fields; the lines of a
	// repeated field are joined.
	AcceptEncoding, IfNoneMatch []byte

	ifMatch []byte // likewise
	http10  bool
	closes  bool // the client closes the connection after the answer
	keeps   bool // an HTTP/1.0 client does not
	expects bool // the client waits for a 100 before it sends the body
	isHead  bool
	special bool // the answer depends on a field that only the Handler reads
	// length is the length of the body; chunked if it comes in chunks.
	length int
	hosts  int
	lines  [repeatable]int // how many lines there are of the repeatable fields
	joined []byte          // holds the values of repeated fields
}

// Values of Head.length that are no lengths.
const (
	noLength = -1
	chunked  = -2
)

// Fields whose lines are joined.
const (
	acceptEncoding = iota
	ifNoneMatch
	ifMatch
	repeatable
)

// plain reports whether the fast path may answer the request: a GET without a body,
// whose connection goes on.
func (h *Head) plain() bool {
	return !h.http10 && !h.closes && !h.expects && !h.special && h.length == noLength &&
		string(h.Method) == "GET" && h.Target[0] == '/'
}

// hasBody reports whether bytes of a body follow the head.
func (h *Head) hasBody() bool { return h.length == chunked || h.length > 0 }

var errIncomplete = errors.New("the head has not arrived in full")

// headEnd returns the length of the head that b begins with. The first from bytes of b
// were searched before.
func headEnd(b []byte, from int) (int, error) {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0, errIncomplete
		}
		from += i + 1
		if from < 2 || b[from-2] != '\r' {
			return 0, errBareLF
		}
		if from >= 4 && b[from-3] == '\n' || from == 2 {
			return from, nil
		}
	}
}

// parse reads a head, which ends with an empty line. It refuses each head that two
// recipients could read differently.
// Source: RFC 9112, 2.2 to 6.3, with the choices that it leaves to a server made for
// refusal.
func (h *Head) parse(b []byte) *problem {
	*h = Head{length: noLength, joined: h.joined[:0]}
	line, rest := cutLine(b)
	if p := h.parseLine(line); p != nil {
		return p
	}
	for {
		if line, rest = cutLine(rest); len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			return errFolded
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !all(line[:colon], isToken) {
			return errName
		}
		value := trim(line[colon+1:])
		if hasControl(value) {
			return errValue
		}
		if p := h.field(line[:colon], value); p != nil {
			return p
		}
	}
	switch {
	case h.hosts != 1 && !(h.http10 && h.hosts == 0):
		return errHost
	case h.http10 && h.length == chunked:
		return errCoding
	}
	h.closes = h.closes || h.http10 && !h.keeps
	return nil
}

// cutLine returns the first line of b, without its end, and the rest.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n') // after a CR, as headEnd has checked
	return b[:i-1], b[i+1:]
}

func (h *Head) parseLine(line []byte) *problem {
	method, rest, found := bytes.Cut(line, []byte(" "))
	target, version, foundVersion := bytes.Cut(rest, []byte(" "))
	if !found || !foundVersion || len(method) == 0 || !all(method, isToken) {
		return errLine
	}
	switch {
	case string(version) == "HTTP/1.1":
	case string(version) == "HTTP/1.0":
		h.http10 = true
	case len(version) == len("HTTP/1.1") && string(version[:5]) == "HTTP/" && isDigit(version[5]) && version[6] == '.' && isDigit(version[7]):
		return errVersion
	default:
		return errLine
	}
	h.Method, h.Target, h.isHead = method, target, string(method) == "HEAD"
	if !isTarget(method, target) {
		return errTarget
	}
	return nil
}

// isTarget reports whether a target is a path, a URL, or the star of OPTIONS. Bytes
// above ASCII are allowed: clients that write UTF-8 without escapes mean it.
func isTarget(method, target []byte) bool {
	if !all(target, isTargetByte) {
		return false
	}
	return len(target) > 0 && target[0] == '/' || isURL(target) || string(target) == "*" && string(method) == "OPTIONS"
}

// isURL reports whether a target is in absolute form, with a host that may be in a
// field Host.
func isURL(target []byte) bool {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(target) > len(scheme) && equalFold(target[:len(scheme)], scheme) {
			host := target[len(scheme):]
			if i := bytes.IndexAny(host, "/?"); i >= 0 {
				host = host[:i]
			}
			return len(host) > 0 && isHost(host)
		}
	}
	return false
}

// field reads a field that decides how the request is read or who answers it.
func (h *Head) field(name, value []byte) *problem {
	switch len(name) {
	case len("Host"):
		if equalFold(name, "host") {
			if h.hosts++; !isHost(value) {
				return errHost
			}
		}
	case len("Expect"): // and Origin
		if equalFold(name, "expect") {
			h.expects = true
		} else if equalFold(name, "origin") {
			h.special = true
		}
	case len("If-Match"):
		if equalFold(name, "if-match") {
			h.special = true
			h.join(ifMatch, &h.ifMatch, value)
		}
	case len("Connection"):
		if equalFold(name, "connection") {
			h.connection(value)
		}
	case len("If-None-Match"):
		if equalFold(name, "if-none-match") {
			h.join(ifNoneMatch, &h.IfNoneMatch, value)
		}
	case len("Content-Length"):
		if equalFold(name, "content-length") {
			return h.contentLength(value)
		}
	case len("Accept-Encoding"):
		if equalFold(name, "accept-encoding") {
			h.join(acceptEncoding, &h.AcceptEncoding, value)
		}
	case len("Transfer-Encoding"):
		if equalFold(name, "transfer-encoding") {
			return h.transferEncoding(value)
		}
	}
	return nil
}

// join adds a line of a repeatable field to its value.
func (h *Head) join(field int, to *[]byte, value []byte) {
	if h.lines[field]++; h.lines[field] == 1 {
		*to = value
		return
	}
	start := len(h.joined)
	h.joined = append(append(append(h.joined, *to...), ", "...), value...)
	*to = h.joined[start:]
}

func (h *Head) contentLength(value []byte) *problem {
	switch {
	case h.length == chunked:
		return errFraming
	case h.length != noLength || len(value) == 0 || !all(value, isDecimal):
		return errLength
	case len(value) > 9:
		return errBodySize
	}
	h.length = 0
	for _, c := range value {
		h.length = h.length*10 + int(c-'0')
	}
	return nil
}

func (h *Head) transferEncoding(value []byte) *problem {
	switch {
	case h.length >= 0:
		return errFraming
	case h.length == chunked || !equalFold(value, "chunked"):
		return errCoding
	}
	h.length = chunked
	return nil
}

func (h *Head) connection(value []byte) {
	for more := true; more; {
		var option []byte
		option, value, more = bytes.Cut(value, []byte(","))
		option = trim(option)
		h.closes = h.closes || equalFold(option, "close")
		h.keeps = h.keeps || equalFold(option, "keep-alive")
	}
}

// isHost reports whether a value of Host is a name or an address, with or without a
// port. Of the characters that RFC 3986 allows in names it takes only those that names
// have.
func isHost(host []byte) bool {
	if len(host) > 0 && host[0] == '[' {
		end := bytes.IndexByte(host, ']')
		return end > 0 && isIPv6(host[1:end]) && (end+1 == len(host) || host[end+1] == ':' && isPort(host[end+2:]))
	}
	name, port, found := bytes.Cut(host, []byte(":"))
	return len(name) > 0 && all(name, isHostByte) && (!found || isPort(port))
}

// isPort reports whether a text is the decimal number of a port.
func isPort(port []byte) bool {
	return 0 < len(port) && len(port) <= 5 && all(port, isDecimal) && (len(port) < 5 || string(port) <= "65535")
}

func isIPv6(text []byte) bool {
	ip, err := netip.ParseAddr(string(text))
	return err == nil && ip.Is6() && ip.Zone() == ""
}
