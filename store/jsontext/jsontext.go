// Package jsontext writes database values as JSON text, byte for byte as the
// old API's Python code writes them: floats in Python's shortest form, strings
// without needless escapes, no spaces. It reads no database. Every function
// appends to a slice and returns the extended slice.
package jsontext

import (
	"bytes"
	"strconv"
)

// escapes holds the two-character escapes of JSON text.
var escapes = [256]byte{'"': '"', '\\': '\\', '\n': 'n', '\r': 'r', '\t': 't', '\b': 'b', '\f': 'f'}

// AppendString appends s as a JSON string the way Python's json.dumps writes it
// with ensure_ascii=False: only quotes, backslashes and control characters are
// escaped. s must be UTF-8.
func AppendString[T ~string | ~[]byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	done := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[done:i]...)
		if e := escapes[c]; e != 0 {
			dst = append(dst, '\\', e)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		done = i + 1
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// AppendFloat appends f as Python's repr writes it: the shortest form that
// reads back as f, with an exponent below 1e-4 and from 1e16.
// Source: CPython, float_repr_style "short".
func AppendFloat(dst []byte, f float64) []byte {
	start := len(dst)
	if abs := max(f, -f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if bytes.IndexByte(dst[start:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

// AppendRounded appends f rounded to digits decimals as Python's round and repr
// do.
func AppendRounded(dst []byte, f float64, digits int) []byte {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', digits, 64), 64)
	return AppendFloat(dst, rounded)
}

// AppendPercent appends part of whole in percent with one decimal, rounded half
// up, as ROUND(part * 100.0 / whole, 1). Neither number may be negative.
func AppendPercent(dst []byte, part, whole int64) []byte {
	tenths := (2000*part + whole) / (2 * whole)
	dst = strconv.AppendInt(dst, tenths/10, 10)
	return append(dst, '.', byte('0'+tenths%10))
}

// exactDigits is the number of decimal digits that a float64 always keeps: a decimal with
// at most exactDigits digits is its own shortest form.
const exactDigits = 15

// AppendDecimal appends the text of a decimal number as Python writes the
// nearest float64: its shortest form, with ".0" for a whole number. For a text that is no
// number it appends null.
func AppendDecimal(dst, v []byte) []byte {
	first, point := 0, len(v)
	if len(v) > 0 && v[0] == '-' {
		first = 1
	}
	for i := first; i < len(v); i++ {
		if c := v[i]; c == '.' && point == len(v) {
			point = i
		} else if c < '0' || c > '9' {
			return appendShortest(dst, v)
		}
	}
	digits := len(v) - first - min(1, len(v)-point)
	tiny := point == first+1 && v[first] == '0' && bytes.HasPrefix(v[point:], []byte(".000"))
	if tiny || point == first || digits > exactDigits {
		return appendShortest(dst, v)
	}
	end := len(v)
	for end > point && v[end-1] == '0' {
		end--
	}
	if end <= point+1 { // only zeros after the point
		return append(append(dst, v[:point]...), ".0"...)
	}
	return append(dst, v[:end]...)
}

func appendShortest(dst, v []byte) []byte {
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		return append(dst, "null"...) // a numeric column delivers no such text
	}
	return AppendFloat(dst, f)
}

// appendDateTime turns the database's text of a date-time into ISO 8601. A
// fraction is written only if it is not zero, with six digits.
func appendDateTime(dst, v []byte) []byte {
	seconds, fraction, _ := bytes.Cut(v, []byte("."))
	day, clock, _ := bytes.Cut(seconds, []byte(" "))
	dst = append(dst, day...)
	dst = append(dst, 'T')
	dst = append(dst, clock...)
	if len(bytes.Trim(fraction, "0")) == 0 {
		return dst
	}
	dst = append(dst, '.')
	dst = append(dst, fraction...)
	for range 6 - len(fraction) {
		dst = append(dst, '0')
	}
	return dst
}
