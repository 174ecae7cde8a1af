// Package compare compares two JSON texts. It reports whether they differ in bytes, in
// spelling, in the order of rows or in values, and the first difference.
package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/lewistv/xcri-proxy/proxy/plural"
)

// Verdict is the degree of equality of two texts.
type Verdict string

// The verdicts, from equal to different.
const (
	SameBytes    Verdict = "same_bytes"
	SameJSON     Verdict = "same_json"      // equal values in any spelling and order of keys
	SameButOrder Verdict = "same_but_order" // equal if the order of lists is ignored
	Different    Verdict = "different"
)

// Result is the result of a comparison. Difference is nil for SameBytes and SameJSON;
// for SameButOrder it is the first place where the order differs.
type Result struct {
	Verdict    Verdict
	Difference *Difference
}

// Difference is the first place where two texts differ. A and B are the values there,
// as JSON cut to a line's length, or a description that is not JSON: missing, or a
// number of elements.
type Difference struct {
	Path string // such as results[3].athlete_rank; empty for the text as a whole
	A, B string
}

// Compare compares two JSON texts. Numbers are compared by value: integers by all
// their digits, other numbers as float64, as clients parse them. The last value of a
// repeated key counts. A text that is not JSON, or is nested too deeply, equals only
// the same bytes. The time is about proportional to the size of the texts. Memory is
// used for a canonical form of the elements of lists that differ.
func Compare(a, b []byte) Result {
	if bytes.Equal(a, b) {
		return Result{Verdict: SameBytes}
	}
	if badA, badB := !usable(a), !usable(b); badA || badB {
		return Result{Different, &Difference{A: describe(a, badA), B: describe(b, badB)}}
	}
	a, b = bytes.TrimSpace(a), bytes.TrimSpace(b)
	d := differ("", a, b)
	switch {
	case d == nil:
		return Result{Verdict: SameJSON}
	case sameButOrder(a, b):
		return Result{SameButOrder, d}
	}
	return Result{Different, d}
}

// maxDepth is deeper than any answer. It limits the time: each level is read once for
// every level above it.
const maxDepth = 64

func usable(text []byte) bool { return json.Valid(text) && depth(text) <= maxDepth }

// describe returns a text for display, or a note that it is unusable.
func describe(text []byte, bad bool) string {
	switch {
	case len(text) == 0:
		return "nothing"
	case bad:
		return "not JSON: " + shorten(text)
	}
	return shorten(text)
}

// longest is the maximum of displayed runes of a value.
const longest = 80

func shorten(text []byte) string {
	text = text[:min(len(text), 4*(longest+1))] // runes have at most 4 bytes
	if r := []rune(string(text)); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return string(text)
}

// differ returns the first difference of two values; nil means that they are equal.
func differ(path string, a, b value) *Difference {
	if bytes.Equal(a, b) {
		return nil
	}
	kind := a.kind()
	switch {
	case kind != b.kind():
	case kind == '{':
		return differInMembers(path, a, b)
	case kind == '[':
		return differInElements(path, a, b)
	case kind == '"' && bytes.Equal(unescape(a), unescape(b)), kind == '0' && bytes.Equal(appendDecimal(nil, a), appendDecimal(nil, b)):
		return nil
	}
	return &Difference{path, shorten(a), shorten(b)}
}

// differInMembers returns the first difference in the order of a. Keys that a lacks
// come last.
func differInMembers(path string, a, b value) (first *Difference) {
	ofA, ofB := a.members(), b.members()
	place := len(a) + len(b) // of first
	found := func(at int, d *Difference) {
		if d != nil && at < place {
			first, place = d, at
		}
	}
	for len(ofA) > 0 || len(ofB) > 0 {
		order := 1
		switch {
		case len(ofB) == 0:
			order = -1
		case len(ofA) > 0:
			order = bytes.Compare(ofA[0].key, ofB[0].key)
		}
		switch {
		case order < 0:
			found(ofA[0].at, &Difference{join(path, ofA[0].key), shorten(ofA[0].value), "missing"})
		case order > 0:
			found(len(a)+ofB[0].at, &Difference{join(path, ofB[0].key), "missing", shorten(ofB[0].value)})
		case !bytes.Equal(ofA[0].value, ofB[0].value) && ofA[0].at < place:
			found(ofA[0].at, differ(join(path, ofA[0].key), ofA[0].value, ofB[0].value))
		}
		if order <= 0 {
			ofA = ofA[1:]
		}
		if order >= 0 {
			ofB = ofB[1:]
		}
	}
	return first
}

func differInElements(path string, a, b value) *Difference {
	ofA, ofB := a.elements(), b.elements()
	for i := range min(len(ofA), len(ofB)) {
		if bytes.Equal(ofA[i], ofB[i]) {
			continue // equal: skip without building a path
		}
		if d := differ(fmt.Sprintf("%s[%d]", path, i), ofA[i], ofB[i]); d != nil {
			return d
		}
	}
	if len(ofA) != len(ofB) {
		return &Difference{path, count(ofA), count(ofB)}
	}
	return nil
}

func count(elements []value) string { return plural.Of(len(elements), "element") }

// join appends a key to a path: after a dot, or quoted in brackets if it is not a
// plain word.
func join(path string, key []byte) string {
	if !isWord(key) {
		return fmt.Sprintf("%s[%q]", path, key)
	}
	if path == "" {
		return string(key)
	}
	return path + "." + string(key)
}

func isWord(key []byte) bool {
	for i, c := range key {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(key) > 0
}

// sameButOrder reports whether two values are equal if the order of lists is ignored.
func sameButOrder(a, b value) bool {
	kind := a.kind()
	switch {
	case bytes.Equal(a, b):
		return true
	case kind != b.kind():
		return false
	case kind == '{':
		return slices.EqualFunc(a.members(), b.members(), func(a, b member) bool {
			return bytes.Equal(a.key, b.key) && sameButOrder(a.value, b.value)
		})
	case kind == '[':
		return sameElements(a.elements(), b.elements())
	}
	return differ("", a, b) == nil
}

// sameElements compares lists in any order. Elements that are equal at the same index
// need no canonical form.
func sameElements(a, b []value) bool {
	if len(a) != len(b) {
		return false
	}
	var formsA, formsB [][]byte
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			formsA = append(formsA, canonical(nil, a[i]))
			formsB = append(formsB, canonical(nil, b[i]))
		}
	}
	slices.SortFunc(formsA, bytes.Compare)
	slices.SortFunc(formsB, bytes.Compare)
	return slices.EqualFunc(formsA, formsB, bytes.Equal)
}

// canonical appends a canonical form of v. Two values have the same form if and only
// if they are equal when the order of lists is ignored.
func canonical(dst []byte, v value) []byte {
	switch v.kind() {
	case '{':
		dst = append(dst, '{')
		for _, m := range v.members() {
			dst = canonical(appendText(dst, m.key), m.value)
		}
		return append(dst, '}')
	case '[':
		var forms [][]byte
		for _, e := range v.elements() {
			forms = append(forms, canonical(nil, e))
		}
		slices.SortFunc(forms, bytes.Compare)
		dst = append(dst, '[')
		for _, form := range forms {
			dst = append(append(dst, form...), ',')
		}
		return append(dst, ']')
	case '"':
		return appendText(dst, unescape(v))
	case '0':
		return append(appendDecimal(dst, v), ' ')
	}
	return append(dst, v...)
}

// appendText appends the length of a text and the text, which needs no escapes then.
func appendText(dst, text []byte) []byte {
	dst = strconv.AppendInt(append(dst, '"'), int64(len(text)), 10)
	return append(append(dst, ':'), text...)
}
