// Package strict reads HTTP/1.1 requests strictly: it refuses each request that two
// recipients could read differently, so that no bytes of a body can be taken for a
// request.
package strict

import (
	"bytes"
	"errors"
	"net/netip"
)

// Limits of a request.
const (
	// MaxHead is the most bytes that the head of a request may have.
	MaxHead = 16 << 10
	// MaxBody is the most bytes that the body of a request may have.
	MaxBody = 64 << 10
)

// Head is the checked head of a request: its request line and fields. Its slices are
// valid until the next read from the connection.
type Head struct {
	Method, Target []byte
	Fields

	IsHEAD  bool // the method
	HTTP10  bool // the version
	Closes  bool // the client closes the connection after the answer
	Expects bool // the client waits for a 100 before it sends the body

	special bool // the answer depends on a field that only the Handler reads
	// length is the length of the body; chunked if it comes in chunks.
	length int
	joined joined
	parsed parsed
}

// Fields are the values of fields that the fast path reads; nil for a field that is not
// there. The lines of AcceptEncoding and IfNoneMatch are joined if there are several; of
// Referer the last line counts.
type Fields struct{ AcceptEncoding, IfNoneMatch, Referer []byte }

// joined are the fields whose lines are joined.
type joined struct {
	lines   [repeatable]int // how many lines there are of each
	ifMatch []byte          // the value of the field
	buffer  []byte          // holds the values of repeated fields
}

// parsed are facts that matter until the end of the head.
type parsed struct {
	hosts int
	keeps bool // an HTTP/1.0 client does not close the connection
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

// Plain reports whether the fast path may answer the request: a GET without a body,
// whose connection goes on.
func (h *Head) Plain() bool {
	return !h.HTTP10 && !h.Closes && !h.Expects && !h.special && h.length == noLength &&
		string(h.Method) == "GET" && h.Target[0] == '/'
}

// HasBody reports whether bytes of a body follow the head.
func (h *Head) HasBody() bool { return h.length == chunked || h.length > 0 }

// ErrIncomplete is the error of a head whose end is missing.
var ErrIncomplete = errors.New("the head has not arrived in full")

// End returns the length of the head that b begins with. The first from bytes of b
// were searched before.
func End(b []byte, from int) (int, error) {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0, ErrIncomplete
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

// Parse reads a head, which ends with an empty line. It refuses each head that two
// recipients could read differently.
// Source: RFC 9112, 2.2 to 6.3, with the choices that it leaves to a server made for
// refusal.
func (h *Head) Parse(b []byte) *Problem {
	*h = Head{length: noLength, joined: joined{buffer: h.joined.buffer[:0]}}
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
	case h.parsed.hosts != 1 && !(h.HTTP10 && h.parsed.hosts == 0):
		return errHost
	case isNetworkPath(h.Target, h.parsed.hosts):
		return errNetworkPath
	case h.HTTP10 && h.length == chunked:
		return errCoding
	}
	h.Closes = h.Closes || h.HTTP10 && !h.parsed.keeps
	return nil
}

// cutLine returns the first line of b, without its end, and the rest.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n') // after a CR, as End has checked
	return b[:i-1], b[i+1:]
}

func (h *Head) parseLine(line []byte) *Problem {
	method, rest, found := bytes.Cut(line, []byte(" "))
	target, version, foundVersion := bytes.Cut(rest, []byte(" "))
	if !found || !foundVersion || len(method) == 0 || !all(method, isToken) {
		return errLine
	}
	switch {
	case string(version) == "HTTP/1.1":
	case string(version) == "HTTP/1.0":
		h.HTTP10 = true
	case len(version) == len("HTTP/1.1") && string(version[:5]) == "HTTP/" && isDigit(version[5]) && version[6] == '.' && isDigit(version[7]):
		return errVersion
	default:
		return errLine
	}
	h.Method, h.Target, h.IsHEAD = method, target, string(method) == "HEAD"
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

// isNetworkPath reports whether a target could be read as a host after two slashes and a
// path. fasthttp reads a host in it if the request has no field Host, or if the target
// contains "://".
func isNetworkPath(target []byte, hosts int) bool {
	return bytes.HasPrefix(target, []byte("//")) && (hosts == 0 || bytes.Contains(target, []byte("://")))
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
			return isHost(host)
		}
	}
	return false
}

// field reads a field that decides how to read the request, or whether the fast path may
// answer it.
func (h *Head) field(name, value []byte) *Problem {
	switch len(name) {
	case len("Host"):
		if equalFold(name, "host") {
			if h.parsed.hosts++; !isHost(value) {
				return errHost
			}
		}
	case len("Expect"): // and Origin
		if equalFold(name, "expect") {
			h.Expects = true
		} else if equalFold(name, "origin") {
			h.special = true
		}
	case len("Referer"):
		if equalFold(name, "referer") {
			h.Referer = value
		}
	case len("If-Match"):
		if equalFold(name, "if-match") {
			h.special = true
			h.join(ifMatch, &h.joined.ifMatch, value)
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
	if h.joined.lines[field]++; h.joined.lines[field] == 1 {
		*to = value
		return
	}
	b, start := h.joined.buffer, len(h.joined.buffer)
	h.joined.buffer = append(append(append(b, *to...), ", "...), value...)
	*to = h.joined.buffer[start:]
}

// EachJoined calls use for each field with several lines, with its value.
func (h *Head) EachJoined(use func(name string, value []byte)) {
	for i, field := range [repeatable]struct {
		name  string
		value []byte
	}{
		acceptEncoding: {"Accept-Encoding", h.AcceptEncoding},
		ifNoneMatch:    {"If-None-Match", h.IfNoneMatch},
		ifMatch:        {"If-Match", h.joined.ifMatch},
	} {
		if h.joined.lines[i] > 1 {
			use(field.name, field.value)
		}
	}
}

func (h *Head) contentLength(value []byte) *Problem {
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

func (h *Head) transferEncoding(value []byte) *Problem {
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
		h.Closes = h.Closes || equalFold(option, "close")
		h.parsed.keeps = h.parsed.keeps || equalFold(option, "keep-alive")
	}
}

// isHost reports whether a value of Host is a name or an address, with or without a port.
// Of the characters that RFC 3986 allows in names it accepts only the characters of real
// names.
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
