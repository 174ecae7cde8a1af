package jsontext

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"strconv"
)

// Raw is JSON text. An empty Raw is null.
type Raw []byte

// Of returns the text of a value as the driver delivers it. It panics for a
// type that no driver delivers.
func (k Kind) Of(v driver.Value) Raw {
	text, err := AppendValue(nil, k, v)
	if err != nil {
		panic(err)
	}
	return text
}

var rawType = reflect.TypeFor[Raw]()

// Append appends v as JSON text: a struct by its json tags, a slice, a string,
// an integer, a boolean, a Raw, or a pointer, of which nil is null. Unlike
// encoding/json it escapes neither HTML nor U+2028. It panics for other types.
func Append(dst []byte, v any) []byte { return appendReflected(dst, reflect.ValueOf(v)) }

func appendReflected(dst []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Struct:
		return appendStruct(dst, v)
	case reflect.String:
		return AppendString(dst, v.String())
	case reflect.Int, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case reflect.Pointer:
		if v.IsNil() {
			return append(dst, "null"...)
		}
		return appendReflected(dst, v.Elem())
	case reflect.Slice:
		if v.Type() == rawType {
			return appendRaw(dst, v.Bytes())
		}
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendReflected(dst, v.Index(i))
		}
		return append(dst, ']')
	}
	panic(fmt.Sprintf("jsontext: no text for %s", v.Type()))
}

func appendRaw(dst, text []byte) []byte {
	if len(text) == 0 {
		return append(dst, "null"...)
	}
	return append(dst, text...)
}

// appendStruct writes the fields in their order under the names of their json
// tags. The fields of an embedded struct without a tag come in its place.
func appendStruct(dst []byte, v reflect.Value) []byte {
	dst = append(dst, '{')
	dst = appendMembers(dst, v, len(dst))
	return append(dst, '}')
}

// appendMembers appends the members of the object that begins at start.
func appendMembers(dst []byte, v reflect.Value, start int) []byte {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, tagged := field.Tag.Lookup("json")
		if field.Anonymous && !tagged {
			dst = appendMembers(dst, v.Field(i), start)
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, name), ':')
		dst = appendReflected(dst, v.Field(i))
	}
	return dst
}
