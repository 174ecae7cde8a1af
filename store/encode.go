package store

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"strconv"
)

// columnKind says how a column's value is written in JSON.
type columnKind uint8

const (
	integer  columnKind = iota
	text                // as a string
	float               // a DECIMAL as Python writes the float
	decimal             // a DECIMAL as a string, with all its digits
	date                // YYYY-MM-DD as a string
	datetime            // YYYY-MM-DDTHH:MM:SS as a string
	boolean             // 0 or 1 as false or true
	null                // always null, whatever the table holds
)

// column is a field of an answer and where its value comes from.
type column struct {
	name string
	kind columnKind
	expr string // SQL; empty means the table's column of that name
}

// encoder writes rows as JSON objects. It is immutable.
type encoder struct {
	prefixes [][]byte // what precedes each value, names and all
	kinds    []columnKind
	suffix   []byte
}

func newEncoder(columns []column) encoder {
	e := encoder{}
	text := []byte{'{'}
	for i, c := range columns {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(AppendString(text, c.name), ':')
		if c.kind == null {
			text = append(text, "null"...)
			continue
		}
		e.prefixes = append(e.prefixes, text)
		e.kinds = append(e.kinds, c.kind)
		text = nil
	}
	e.suffix = append(text, '}')
	return e
}

// appendRow writes one row: a value for each column that is not null.
func (e *encoder) appendRow(dst []byte, row []driver.Value) ([]byte, error) {
	var err error
	for i, v := range row {
		dst = append(dst, e.prefixes[i]...)
		if dst, err = appendValue(dst, e.kinds[i], v); err != nil {
			return dst, err
		}
	}
	return append(dst, e.suffix...), nil
}

// appendValue writes a value as the driver delivers it: integers as int64,
// nearly everything else as text.
func appendValue(dst []byte, kind columnKind, v driver.Value) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case []byte:
		return appendTextValue(dst, kind, v), nil
	case int64:
		switch kind {
		case integer:
			return strconv.AppendInt(dst, v, 10), nil
		case boolean:
			return strconv.AppendBool(dst, v != 0), nil
		}
		var digits [20]byte
		return appendTextValue(dst, kind, strconv.AppendInt(digits[:0], v, 10)), nil
	case float64:
		var digits [32]byte
		return appendTextValue(dst, kind, strconv.AppendFloat(digits[:0], v, 'f', -1, 64)), nil
	case uint64: // BIGINT UNSIGNED, which a production column may be
		var digits [20]byte
		return appendTextValue(dst, kind, strconv.AppendUint(digits[:0], v, 10)), nil
	case float32: // FLOAT
		var digits [64]byte
		return appendTextValue(dst, kind, strconv.AppendFloat(digits[:0], float64(v), 'f', -1, 32)), nil
	case string:
		return appendTextValue(dst, kind, []byte(v)), nil
	}
	return dst, fmt.Errorf("column of type %T", v)
}

func appendTextValue(dst []byte, kind columnKind, v []byte) []byte {
	switch kind {
	case integer:
		return append(dst, v...)
	case float:
		return appendFloat(dst, v)
	case boolean:
		return strconv.AppendBool(dst, string(v) != "0")
	case datetime:
		dst = append(dst, '"')
		dst = appendDateTime(dst, v)
		return append(dst, '"')
	case date, decimal:
		dst = append(dst, '"')
		dst = append(dst, v...)
		return append(dst, '"')
	}
	return AppendString(dst, v)
}

// appendDateTime turns the database's text into ISO 8601, with a fraction only
// where it is not zero, and then of six digits.
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

// exactDigits is how many decimal digits a float64 always keeps: a decimal
// with no more of them is its own shortest form.
const exactDigits = 15

// appendFloat writes a decimal number as Python writes the nearest float64:
// its shortest form, with ".0" for a whole number.
func appendFloat(dst, v []byte) []byte {
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
	if end <= point+1 { // nothing but zeros after the point
		return append(append(dst, v[:point]...), ".0"...)
	}
	return append(dst, v[:end]...)
}

func appendShortest(dst, v []byte) []byte {
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		return append(dst, "null"...) // not reached: the column is a number
	}
	return AppendFloat(dst, f)
}

// AppendFloat appends f as Python's repr writes it: the shortest form that
// reads back the same, with an exponent below 1e-4 and from 1e16.
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
