package proxy

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lewistv/xcri-proxy/store"
)

// maxParams is more than any endpoint has.
const maxParams = 16

// input is what a request asks, taken apart: the raw value of each parameter
// of its route, and the key that they make. It is reused from request to
// request; its slices are valid until the next.
type input struct {
	raw     [maxParams][]byte // decoded; nil where not given
	scratch []byte            // what raw points into
	key     []byte
	errors  []paramError
}

// paramError is a parameter that is not as its endpoint wants it.
type paramError struct {
	param   *store.Param
	problem store.Problem
	input   []byte
}

func (in *input) reset(params int) { clear(in.raw[:params]) }

// begin makes room for all that decode may write for a target of that length,
// so that the slices it hands out never move.
func (in *input) begin(target int) {
	if need := 4 * target; cap(in.scratch) < need {
		in.scratch = make([]byte, 0, max(need, 1024))
	}
	in.scratch = in.scratch[:0]
}

// parse reads the query's values for the parameters of r. The last value of a
// repeated parameter counts, unknown parameters do not, as in the old API.
func (in *input) parse(r *route, query []byte) {
	params := r.endpoint.Params
	for more := len(query) > 0; more; {
		var pair []byte
		pair, query, more = bytes.Cut(query, []byte("&"))
		name, value, _ := bytes.Cut(pair, []byte("="))
		name = in.decode(name, true)
		for i := range params {
			if !params[i].InPath && params[i].Name == string(name) {
				in.raw[i] = in.decode(value, true)
			}
		}
	}
}

// decode undoes the percent-encoding of s, and reads + as a space in a query.
// The result is UTF-8 and never nil: what is not, becomes U+FFFD. It is s itself
// if there is nothing to undo.
func (in *input) decode(s []byte, query bool) []byte {
	i := 0
	for i < len(s) && plain[s[i]] {
		i++
	}
	if i == len(s) && s != nil {
		return s
	}
	start := len(in.scratch)
	in.scratch = append(in.scratch, s[:i]...)
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%' && i+2 < len(s) && unhex[s[i+1]] >= 0 && unhex[s[i+2]] >= 0:
			c = byte(unhex[s[i+1]]<<4 | unhex[s[i+2]])
			i += 2
		case c == '+' && query:
			c = ' '
		}
		in.scratch = append(in.scratch, c)
	}
	out := in.scratch[start:len(in.scratch):len(in.scratch)]
	if !utf8.Valid(out) {
		in.scratch = appendReplaced(in.scratch, out)
		out = in.scratch[start+len(out):]
	}
	return out
}

// plain are the characters that stand for themselves wherever they are.
var plain = func() (table [256]bool) {
	for c := range utf8.RuneSelf {
		table[c] = c != '%' && c != '+'
	}
	return table
}()

// appendReplaced appends s with each longest part of it that could begin a
// character, but does not make one, replaced by U+FFFD.
// Source: Unicode, "U+FFFD Substitution of Maximal Subparts"; Python does so.
func appendReplaced(dst, s []byte) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 {
			for n < len(s) && !utf8.FullRune(s[:n+1]) {
				n++
			}
			if utf8.FullRune(s[:n]) {
				n = 1
			}
		}
		dst, s = utf8.AppendRune(dst, r), s[n:]
	}
	return dst
}

// unhex maps hexadecimal digits to their values, and all else below zero.
var unhex = func() (table [256]int) {
	for i := range table {
		table[i] = strings.IndexByte("0123456789abcdef", byte(i)|0x20)
		if i < '0' {
			table[i] = -1
		}
	}
	return table
}()

// canonical checks the values and makes the key: the same for all requests
// that ask the same of r, and itself a request for it. Values that are the
// default are left out. It returns false, with errors, if a value is wrong.
func (in *input) canonical(r *route) bool {
	in.key, in.errors = in.key[:0], in.errors[:0]
	var space [64]byte
	inPath := len(r.keyParts) - 1
	for i, part := range r.keyParts {
		in.key = append(in.key, part...)
		if i < inPath {
			text, _ := in.value(r, i, space[:0])
			in.key = appendEscaped(in.key, text)
		}
	}
	separator := byte('?')
	for i := inPath; i < len(r.endpoint.Params); i++ {
		text, given := in.value(r, i, space[:0])
		if p := &r.endpoint.Params[i]; given && (p.Default == "" || p.Default != string(text)) {
			in.key = append(in.key, separator)
			in.key = append(append(in.key, p.Name...), '=')
			in.key = appendEscaped(in.key, text)
			separator = '&'
		}
	}
	return len(in.errors) == 0
}

// value returns the canonical value of parameter i, in space if it fits there,
// and whether the request gives one. What is wrong with it goes to errors.
func (in *input) value(r *route, i int, space []byte) (text []byte, given bool) {
	p, raw := &r.endpoint.Params[i], in.raw[i]
	if raw == nil {
		if p.Required {
			in.errors = append(in.errors, paramError{p, store.Missing, nil})
		}
		return nil, false
	}
	text, given, problem := p.Canonical(space, raw)
	if problem != store.OK {
		in.errors = append(in.errors, paramError{p, problem, raw})
	}
	return text, given
}

// appendEscaped appends s with all but unreserved characters percent-encoded.
func appendEscaped(dst, s []byte) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range s {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~' {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// question turns a key back into what it asks of the store.
func (rt *router) question(key string) (*route, store.Query, error) {
	in := &input{}
	in.begin(len(key))
	path, query, _ := bytes.Cut([]byte(key), []byte("?"))
	r := rt.match(path, in)
	if r == nil {
		return nil, store.Query{}, fmt.Errorf("key %q names no endpoint", key)
	}
	in.parse(r, query)
	q := store.Query{Endpoint: r.endpoint, Args: make([]store.Arg, len(r.endpoint.Params))}
	for i := range q.Args {
		text, given := in.value(r, i, nil)
		if d := r.endpoint.Params[i].Default; !given && in.raw[i] == nil && d != "" {
			text, given = []byte(d), true
		}
		q.Args[i] = store.Arg{Given: given, Text: string(text)}
	}
	if len(in.errors) > 0 {
		return nil, store.Query{}, fmt.Errorf("key %q: %s", key, appendProblems(nil, in.errors))
	}
	return r, q, nil
}

// keyOf returns the key of a request target, below the API's root or the base
// path.
func (rt *router) keyOf(target string) (string, error) {
	in := &input{}
	in.begin(len(target))
	path, query := splitTarget([]byte(target))
	r := rt.match(path, in)
	if r == nil {
		return "", fmt.Errorf("%q is not a path of the API", target)
	}
	in.parse(r, query)
	if !in.canonical(r) {
		return "", fmt.Errorf("%q: %s", target, appendProblems(nil, in.errors))
	}
	return string(in.key), nil
}
