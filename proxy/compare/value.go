package compare

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// value is the text of a valid JSON value without surrounding space.
type value []byte

// kind returns the first character of a value, and 0 for every number.
func (v value) kind() byte {
	if c := v[0]; c != '-' && (c < '0' || c > '9') {
		return c
	}
	return '0'
}

// elements returns the elements of a list.
func (v value) elements() (all []value) {
	for at := skipSpace(v, 1); v[at] != ']'; at = skipComma(v, at) {
		end := endOf(v, at)
		all = append(all, v[at:end])
		at = end
	}
	return all
}

// member is a key of an object, its position, and its value.
type member struct {
	key   []byte
	at    int
	value value
}

// members returns the members of an object, sorted by the bytes of the keys. The last
// value of a repeated key counts.
func (v value) members() (all []member) {
	for at := skipSpace(v, 1); v[at] != '}'; at = skipComma(v, at) {
		begin, end := at, endOf(v, at)
		key := unescape(v[at:end])
		at = skipSpace(v, skipSpace(v, end)+len(":"))
		end = endOf(v, at)
		all = append(all, member{key, begin, v[at:end]})
		at = end
	}
	slices.SortFunc(all, func(a, b member) int { return cmp.Or(bytes.Compare(a.key, b.key), b.at-a.at) })
	return slices.CompactFunc(all, func(a, b member) bool { return bytes.Equal(a.key, b.key) })
}

func skipSpace(v value, at int) int {
	for at < len(v) && (v[at] == ' ' || v[at] == '\n' || v[at] == '\t' || v[at] == '\r') {
		at++
	}
	return at
}

// skipComma advances from the end of a value to the next value or the closing bracket.
func skipComma(v value, at int) int {
	at = skipSpace(v, at)
	if v[at] == ',' {
		at = skipSpace(v, at+1)
	}
	return at
}

// endOf returns the end of the value that begins at a position.
func endOf(v value, at int) int {
	switch v[at] {
	case '"':
		return endOfString(v, at)
	case '{', '[':
		for open := 0; ; at++ {
			switch v[at] {
			case '"':
				at = endOfString(v, at) - 1
			case '{', '[':
				open++
			case '}', ']':
				if open--; open == 0 {
					return at + 1
				}
			}
		}
	}
	for at < len(v) && bytes.IndexByte([]byte(" \n\t\r,]}"), v[at]) < 0 {
		at++
	}
	return at
}

func endOfString(v value, at int) int {
	for at++; v[at] != '"'; at++ {
		if v[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// depth returns the maximum nesting of brackets in a valid text.
func depth(text []byte) (deepest int) {
	open := 0
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			at = endOfString(text, at) - 1
		case '{', '[':
			open++
			deepest = max(deepest, open)
		case '}', ']':
			open--
		}
	}
	return deepest
}

// unescape decodes a JSON string. Half of a surrogate pair, which is not a character,
// becomes three bytes that no other text contains.
func unescape(v value) []byte {
	v = v[1 : len(v)-1]
	if bytes.IndexByte(v, '\\') < 0 {
		return v
	}
	out := make([]byte, 0, len(v))
	for at := 0; at < len(v); at++ {
		if v[at] != '\\' {
			out = append(out, v[at])
			continue
		}
		at++
		if v[at] != 'u' {
			out = append(out, plainEscape(v[at]))
			continue
		}
		r := unit(v[at:])
		at += 4
		if rest := v[at+1:]; utf16.IsSurrogate(r) && len(rest) > 5 && rest[0] == '\\' && rest[1] == 'u' {
			if pair := utf16.DecodeRune(r, unit(rest[1:])); pair != utf8.RuneError {
				r = pair
				at += 6
			}
		}
		out = appendRune(out, r)
	}
	return out
}

// plainEscape returns the character of the escape sequence of a backslash and c.
func plainEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// unit parses the four hex digits after a u.
func unit(text []byte) rune {
	n, _ := strconv.ParseUint(string(text[1:5]), 16, 16) // valid
	return rune(n)
}

func appendRune(dst []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(dst, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
	}
	return utf8.AppendRune(dst, r)
}
