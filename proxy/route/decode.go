package route

import (
	"strings"
	"unicode/utf8"
)

// reserve makes room for everything that decode may write for a target of a length,
// so that the slices which decode returned before stay where they are.
func (m *Match) reserve(target int) {
	if need := 4 * target; cap(m.scratch) < need {
		m.scratch = make([]byte, 0, max(need, 1024))
	}
	m.scratch = m.scratch[:0]
}

// decode removes the percent-encoding of s, and reads + as a space in a query. The
// result is valid UTF-8 and never nil: invalid bytes become U+FFFD. It is s itself if
// nothing is encoded.
func (m *Match) decode(s []byte, query bool) []byte {
	i := 0
	for i < len(s) && plain[s[i]] {
		i++
	}
	if i == len(s) && s != nil {
		return s
	}
	start := len(m.scratch)
	m.scratch = append(m.scratch, s[:i]...)
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%' && i+2 < len(s) && unhex[s[i+1]] >= 0 && unhex[s[i+2]] >= 0:
			c = byte(unhex[s[i+1]]<<4 | unhex[s[i+2]])
			i += 2
		case c == '+' && query:
			c = ' '
		}
		m.scratch = append(m.scratch, c)
	}
	out := m.scratch[start:len(m.scratch):len(m.scratch)]
	if !utf8.Valid(out) {
		m.scratch = appendReplaced(m.scratch, out)
		out = m.scratch[start+len(out):]
	}
	return out
}

// plain holds the characters that decode never changes.
var plain = func() (table [256]bool) {
	for c := range utf8.RuneSelf {
		table[c] = c != '%' && c != '+'
	}
	return table
}()

// appendReplaced appends s with each maximal subpart of an ill-formed sequence
// replaced by U+FFFD.
// Source: Unicode, "U+FFFD Substitution of Maximal Subparts", as in Python.
func appendReplaced(dst, s []byte) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 {
			for n < len(s) && !utf8.FullRune(s[:n+1]) {
				n++
			}
		}
		dst, s = utf8.AppendRune(dst, r), s[n:]
	}
	return dst
}

// unhex maps hexadecimal digits to their values, and all other bytes to -1.
var unhex = func() (table [256]int) {
	for i := range table {
		table[i] = strings.IndexByte("0123456789abcdef", byte(i)|0x20)
		if i < '0' {
			table[i] = -1
		}
	}
	return table
}()

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
