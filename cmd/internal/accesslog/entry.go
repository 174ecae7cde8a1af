// Package accesslog writes the access log of a server, reads access logs in its own formats
// and in Apache's common or combined format, and counts the targets in them.
package accesslog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// timeFormat is the format of the time in a line.
const timeFormat = "02/Jan/2006:15:04:05 -0700"

// Entry is the request and the status of a line. Method and Target are empty if
// the client sent no request for a path of this server.
type Entry struct {
	Method, Target string
	Status         int
}

// IsRead reports whether the request was GET or HEAD.
func (e Entry) IsRead() bool { return e.Method == "GET" || e.Method == "HEAD" }

// Answered reports whether the entry is a read that was answered 200 or 304.
func (e Entry) Answered() bool { return e.IsRead() && (e.Status == 200 || e.Status == 304) }

// Parse reads a line in Apache's common format,
//
//	host ident user [time] "request" status bytes
//
// with any text after it, such as the rest of the combined format, and an optional
// virtual host in front, or a line of the format JSON. It returns false for any other line.
func Parse(line []byte) (e Entry, ok bool) {
	if len(line) > 0 && line[0] == '{' {
		return parseJSON(line)
	}
	// Apache escapes quotes in all fields that a client controls, so the first
	// `] "` ends the time.
	before, rest, found := bytes.Cut(line, []byte(`] "`))
	client, when, timed := cutLast(before, []byte(" ["))
	if !found || !timed || len(bytes.Fields(client)) < 3 || len(when) != len(timeFormat) {
		return e, false
	}
	end := endOfQuoted(rest)
	if end < 0 {
		return e, false
	}
	fields := bytes.Fields(rest[end+1:])
	if len(fields) < 2 {
		return e, false
	}
	status, err := strconv.Atoi(string(fields[0]))
	if err != nil || status < 100 || status > 599 {
		return e, false
	}
	e.Status = status
	method, target, found := bytes.Cut(rest[:end], []byte(" "))
	if i := bytes.LastIndex(target, []byte(" HTTP/")); i >= 0 {
		target = target[:i]
	}
	if found && len(method) > 0 && len(target) > 0 && target[0] == '/' {
		e.Method, e.Target = string(method), unescapeTarget(target)
	}
	return e, true
}

// parseJSON reads a line of the format JSON.
func parseJSON(line []byte) (e Entry, ok bool) {
	var r struct {
		Method, Target string
		Status         int
	}
	if err := json.Unmarshal(line, &r); err != nil || r.Method == "" || r.Target == "" || r.Status < 100 || r.Status > 599 {
		return e, false
	}
	e.Status = r.Status
	if isToken(r.Method) && strings.HasPrefix(r.Target, "/") {
		e.Method, e.Target = r.Method, encodeTarget([]byte(r.Target))
	}
	return e, true
}

// isToken reports whether a text can be the method of a request.
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// endOfQuoted returns the index of the first quote that is not escaped, or -1.
func endOfQuoted(s []byte) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return -1
}

func cutLast(s, sep []byte) (before, after []byte, found bool) {
	if i := bytes.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, nil, false
}

// unescapeTarget undoes the escapes of the log and percent-encodes the bytes that
// a target may not hold. Source: Apache's ap_escape_logitem.
func unescapeTarget(s []byte) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			switch c = s[i]; c {
			case 'n', 'r', 't', 'b', 'v':
				c = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'v': '\v'}[c]
			case 'x':
				if i+2 < len(s) {
					if code, err := strconv.ParseUint(string(s[i+1:i+3]), 16, 8); err == nil {
						c = byte(code)
						i += 2
					}
				}
			}
		}
		writeTargetByte(&out, c)
	}
	return out.String()
}

// encodeTarget percent-encodes the bytes that a target may not hold.
func encodeTarget(s []byte) string {
	var out strings.Builder
	for _, c := range s {
		writeTargetByte(&out, c)
	}
	return out.String()
}

func writeTargetByte(out *strings.Builder, c byte) {
	if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
		fmt.Fprintf(out, "%%%02X", c)
	} else {
		out.WriteByte(c)
	}
}
