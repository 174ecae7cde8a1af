package compare

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// check compares two texts in both directions.
func check(t *testing.T, a, b string, want Verdict) {
	t.Helper()
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if got := Compare([]byte(pair[0]), []byte(pair[1])); got.Verdict != want {
			t.Errorf("%.120s and %.120s: %s, want %s", pair[0], pair[1], got.Verdict, want)
		}
	}
}

// TestCanonicalFormsAreUnambiguous holds that values of different structure differ
// even if their concatenated texts are equal.
func TestCanonicalFormsAreUnambiguous(t *testing.T) {
	for _, pair := range [][2]string{
		{`{"a":{"b":"c"}}`, `{"a":"b","c":{}}`},
		{`[[1,2]]`, `[1,2,[]]`},
		{`{"a":"b:c"}`, `{"a:b":"c"}`},
		{`["1","2"]`, `[1,2]`},
		{`[12,3]`, `[1,23]`},
		{`true`, `false`},
		{`null`, `""`},
		{`[]`, `{}`},
		{`[null]`, `[]`},
	} {
		// In a list in another order, so that canonical forms are needed.
		check(t, "["+pair[0]+",0]", "[0,"+pair[1]+"]", Different)
		check(t, "["+pair[0]+",0]", "[0,"+pair[0]+"]", SameButOrder)
		check(t, "["+pair[1]+",0]", "[0,"+pair[1]+"]", SameButOrder)
	}
}

// TestOtherNamesAreNoOrder holds that objects with equal values under different keys
// differ, even if the only other differences are of order.
func TestOtherNamesAreNoOrder(t *testing.T) {
	check(t, `{"rows":[1,2],"total":2}`, `{"rows":[2,1],"sum":2}`, Different)
	check(t, `{"rows":[1,2],"total":2}`, `{"rows":[2,1],"total":2}`, SameButOrder)
}

// TestFirstDifference holds that the reported difference is the first difference in the
// first text, and a key that the first text lacks comes after all others.
func TestFirstDifference(t *testing.T) {
	for _, tt := range []struct{ a, b, path string }{
		{`{"b":1,"a":1}`, `{"a":2,"b":2}`, "b"},
		{`{"a":1,"b":1}`, `{"b":2,"a":2}`, "a"},
		{`{"b":1}`, `{"a":5,"b":2}`, "b"},
		{`{}`, `{"b":1,"a":2}`, "b"},
		{`{"c":1,"b":2}`, `{"a":0}`, "c"},
		{`{"b":1,"c":2}`, `{"a":0}`, "b"},
		{`{"b":1.0,"a":1}`, `{"b":1,"a":2}`, "a"},
		{`[1.0,2]`, `[1,3]`, "[1]"},
		{`{"a":"}","b":1}`, `{"a":"}","b":2}`, "b"},
		{`{"a":["]",{"x":"{"}],"b":1}`, `{"a":["]",{"x":"{"}],"b":2}`, "b"},
		{`["\"]",1]`, `["\"]",2]`, "[1]"},
	} {
		if got := Compare([]byte(tt.a), []byte(tt.b)); got.Difference == nil || got.Difference.Path != tt.path {
			t.Errorf("%s and %s: %+v, want %s", tt.a, tt.b, got.Difference, tt.path)
		}
	}
}

// TestPathsQuoteOddKeys holds which keys a path contains without quotes.
func TestPathsQuoteOddKeys(t *testing.T) {
	for key, word := range map[string]bool{
		"azAZ_09": true, "_": true, "z": true, "Z": true, "a0": true, "a9": true,
		"": false, "0a": false, "9": false, "a{": false, "a`": false, "a[": false, "a@": false, "a:": false, "a/": false, "é": false, "a b": false,
	} {
		want := fmt.Sprintf("x[%q]", key)
		if word {
			want = "x." + key
		}
		if got := join("x", []byte(key)); got != want {
			t.Errorf("%q: %s, want %s", key, got, want)
		}
	}
}

// TestNumbersByValue holds that numbers are compared by value, at the limits of
// precision too.
func TestNumbersByValue(t *testing.T) {
	nines := strings.Repeat("9", 400)
	check(t, `[9]`, `[9.0]`, SameJSON)
	check(t, `[1e-400]`, `[0]`, SameJSON)
	check(t, `[5e-324]`, `[4e-324]`, SameJSON)
	check(t, `[5e-324]`, `[1e-323]`, Different)
	check(t, "["+nines+".5]", "["+nines+".50]", SameJSON)
	check(t, "["+nines+".5]", "["+nines[1:]+"8.5]", Different)
	check(t, `[1e99999999999999999999]`, `[1e99999999999999999998]`, Different)
	check(t, `[1e2147483648]`, `[1e2147483649]`, Different)
	check(t, "[-"+nines+".5]", "[-"+nines[1:]+"8.5]", Different)
	check(t, `[0.1234567890123456]`, `[0.1234567890123457]`, Different) // one digit more than exactDigits
	// An exponent of more than 32 bits is compared as text.
	check(t, `[1e2147483647]`, `[1.0e2147483647]`, SameJSON)
	check(t, `[1e2147483648]`, `[1.0e2147483648]`, Different)
}

// TestTextIsNoNumber holds that strings are compared by all their characters, even if
// they resemble a number that is rounded.
func TestTextIsNoNumber(t *testing.T) {
	long := strings.Repeat("1", 2*exactDigits)
	check(t, `"`+long+`.1"`, `"`+long+`.2"`, Different)
	check(t, `"1.0"`, `"1.00"`, Different)
}

// TestObjectsInAnotherOrder holds that objects at different indexes are equal in any
// order of their keys and of the lists in them.
func TestObjectsInAnotherOrder(t *testing.T) {
	check(t, `[{"a":1,"b":[1,2]},0]`, `[0,{"b":[2,1],"\u0061":1.0}]`, SameButOrder)
	check(t, `[{"a":1,"b":[1,2]},0]`, `[0,{"b":[2,1],"c":1}]`, Different)
}

// TestDepthCountsOpenBrackets holds that closed brackets, and brackets in texts,
// do not count: a long list is not deep.
func TestDepthCountsOpenBrackets(t *testing.T) {
	for text, want := range map[string]int{
		`1`: 0, `[]`: 1, `{"a":{}}`: 2, `[[],[],{}]`: 2, `["[[[{{",{}]`: 2, `{"]":[{}],"b":{}}`: 3, `["\"[["]`: 1,
	} {
		if got := depth([]byte(text)); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
	wide := "[" + strings.Repeat(`{"a":[]},`, 10*maxDepth)
	check(t, wide+"1]", wide+"1.0]", SameJSON)
	check(t, `["`+strings.Repeat("[", 2*maxDepth)+`",1]`, `["`+strings.Repeat("[", 2*maxDepth)+`",2]`, Different)
	check(t, `["`+strings.Repeat("{", 2*maxDepth)+`",1]`, `["`+strings.Repeat("{", 2*maxDepth)+`",1.0]`, SameJSON)
}

// TestHalfSurrogates holds that each half of a pair is decoded to its own three bytes,
// which are not valid UTF-8.
func TestHalfSurrogates(t *testing.T) {
	for r := 0xd800; r <= 0xdfff; r++ {
		want := []byte{0xed, 0x80 | byte(r>>6)&0x3f, 0x80 | byte(r)&0x3f}
		if got := unescape(fmt.Appendf(nil, `"\u%04x"`, r)); !bytes.Equal(got, want) {
			t.Fatalf("%x: % x, want % x", r, got, want)
		}
	}
	// Only a backslash and a u make a pair.
	check(t, `"\ud83cxudfc3"`, `"🏃"`, Different)
	check(t, `"\ud83c\ndfc3"`, `"🏃"`, Different)
	check(t, `"\ud83c\u0041dfc3"`, `"🏃"`, Different)
	check(t, `"\ud83c\udfc3\udfc3"`, `"🏃\udfc3"`, SameJSON)
}

// TestShortened holds that a value of 80 characters is shown whole.
func TestShortened(t *testing.T) {
	for n, want := range map[int]string{80: strings.Repeat("é", 80), 81: strings.Repeat("é", 80) + "…"} {
		if got := shorten([]byte(strings.Repeat("é", n))); got != want {
			t.Errorf("%d characters: %s", n, got)
		}
	}
	if got := shorten([]byte(strings.Repeat("🏃", 1000))); got != strings.Repeat("🏃", 80)+"…" {
		t.Error(got)
	}
}
