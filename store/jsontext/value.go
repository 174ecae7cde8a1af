package jsontext

import (
	"database/sql/driver"
	"fmt"
	"strconv"
)

// Kind selects the JSON text of a column's value.
type Kind uint8

// The kinds of values.
const (
	Integer  Kind = iota
	Text          // a string
	Float         // a number as Python writes the float
	Exact         // a DECIMAL as a string with all its digits; other numeric types as numbers
	Date          // YYYY-MM-DD as a string
	DateTime      // YYYY-MM-DDTHH:MM:SS as a string
	Boolean       // 0 or 1 as false or true
	Null          // always null; takes no value from a row
)

// Field is one member of the objects that an Encoder writes.
type Field struct {
	Name string
	Kind Kind
}

// Encoder writes rows as JSON objects. It is immutable, and so safe for concurrent use.
type Encoder struct {
	prefixes [][]byte // the text before each value, with the member's name
	kinds    []Kind
	suffix   []byte
}

// NewEncoder returns an encoder of objects with these members.
func NewEncoder(fields []Field) Encoder {
	e := Encoder{}
	text := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(AppendString(text, f.Name), ':')
		if f.Kind == Null {
			text = append(text, "null"...)
			continue
		}
		e.prefixes = append(e.prefixes, text)
		e.kinds = append(e.kinds, f.Kind)
		text = nil
	}
	e.suffix = append(text, '}')
	return e
}

// AppendRow appends one row as an object. The row has a value for each field
// whose kind is not Null, in the order of the fields.
func (e *Encoder) AppendRow(dst []byte, row []driver.Value) ([]byte, error) {
	var err error
	for i, v := range row {
		dst = append(dst, e.prefixes[i]...)
		if dst, err = AppendValue(dst, e.kinds[i], v); err != nil {
			return dst, err
		}
	}
	return append(dst, e.suffix...), nil
}

// AppendValue appends a value as the driver delivers it: integers as int64,
// FLOAT and DOUBLE as floats, all other types as text.
func AppendValue(dst []byte, kind Kind, v driver.Value) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case []byte:
		return appendText(dst, kind, v), nil
	case int64:
		if kind == Integer || kind == Exact {
			return strconv.AppendInt(dst, v, 10), nil
		}
		var digits [20]byte
		return appendText(dst, kind, strconv.AppendInt(digits[:0], v, 10)), nil
	case float64: // DOUBLE
		var digits [32]byte
		return appendNumber(dst, kind, strconv.AppendFloat(digits[:0], v, 'g', -1, 64)), nil
	case float32: // FLOAT
		var digits [32]byte
		return appendNumber(dst, kind, strconv.AppendFloat(digits[:0], float64(v), 'g', -1, 32)), nil
	case uint64: // BIGINT UNSIGNED, which a production column may be
		var digits [20]byte
		return appendText(dst, kind, strconv.AppendUint(digits[:0], v, 10)), nil
	case string:
		return appendText(dst, kind, []byte(v)), nil
	}
	return dst, fmt.Errorf("a value of type %T has no JSON text", v)
}

// appendNumber appends a FLOAT or a DOUBLE, which is a number also where a
// DECIMAL is text.
func appendNumber(dst []byte, kind Kind, v []byte) []byte {
	if kind == Exact {
		kind = Float
	}
	return appendText(dst, kind, v)
}

func appendText(dst []byte, kind Kind, v []byte) []byte {
	switch kind {
	case Integer:
		return append(dst, v...)
	case Float:
		return AppendDecimal(dst, v)
	case Boolean:
		return strconv.AppendBool(dst, string(v) != "0")
	case DateTime:
		dst = append(dst, '"')
		dst = appendDateTime(dst, v)
		return append(dst, '"')
	case Date, Exact:
		dst = append(dst, '"')
		dst = append(dst, v...)
		return append(dst, '"')
	}
	return AppendString(dst, v)
}

// AsInt reads a number that a server delivers as an integer or as text. NULL is
// zero.
func AsInt(v driver.Value) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case nil:
		return 0
	}
	f, _ := strconv.ParseFloat(AsText(v), 64)
	return int64(f)
}

// AsText reads a value as text. NULL is empty.
func AsText(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}
