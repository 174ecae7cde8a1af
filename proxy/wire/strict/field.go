package strict

import "encoding/binary"

// class is a set of bytes, one bit of the table for each class.
type class uint8

const (
	isToken      class = 1 << iota // RFC 9110, 5.6.2
	isDecimal                      // 0 to 9
	isTargetByte                   // all but controls, space and #
	isHostByte                     // of a name or an IPv4 address
)

var classes = func() (table [256]class) {
	for i := range table {
		c := byte(i)
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if isDigit(c) {
			table[i] |= isDecimal
		}
		if letter || isDigit(c) {
			table[i] |= isToken | isHostByte
		}
		if c > ' ' && c != 0x7f && c != '#' {
			table[i] |= isTargetByte
		}
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		table[c] |= isToken
	}
	for _, c := range []byte("-._") {
		table[c] |= isHostByte
	}
	return table
}()

// all reports whether all bytes of s are in a class.
func all(s []byte, of class) bool {
	for _, c := range s {
		if classes[c]&of == 0 {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// hasControl reports whether a value has a control character other than a tab. It
// tests eight bytes at a time.
func hasControl(s []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		x := binary.LittleEndian.Uint64(s)
		below := (x - 0x20*ones) &^ x & highs // a byte below 0x20, and perhaps its neighbours
		y := x ^ 0x7f*ones
		if below != 0 || (y-ones)&^y&highs != 0 {
			if anyControl(s[:8]) {
				return true
			}
		}
	}
	return anyControl(s)
}

func anyControl(s []byte) bool {
	for _, c := range s {
		if c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// trim removes spaces and tabs at both ends.
func trim(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// equalFold compares with a lower-case ASCII text.
func equalFold(s []byte, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i, c := range s {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
