package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	for name, tt := range map[string]struct {
		a, b    string
		verdict Verdict
		want    Difference
	}{
		"the same":              {`{"a":1}`, `{"a":1}`, SameBytes, Difference{}},
		"nothing twice":         {``, ``, SameBytes, Difference{}},
		"the same nonsense":     {`<html>`, `<html>`, SameBytes, Difference{}},
		"space":                 {`{"a":[1,2]}`, " { \"a\" :\t[ 1 , 2 ]\r\n} ", SameJSON, Difference{}},
		"space in empty values": {`{"a":[],"b":{}}`, `{"a":[ ],"b":{ }}`, SameJSON, Difference{}},
		"space around a word":   {`true`, " true\n", SameJSON, Difference{}},
		"order of keys":         {`{"a":1,"b":[{"c":2,"d":3}]}`, `{"b":[{"d":3,"c":2}],"a":1}`, SameJSON, Difference{}},
		"escapes":               {`{"n":"Cañon/\n\"\u005c"}`, `{"\u006e":"Ca\u00f1on\/\u000a\u0022\\"}`, SameJSON, Difference{}},
		"escapes with a name":   {`"\b\f\r\t"`, `"\u0008\u000C\u000D\u0009"`, SameJSON, Difference{}},
		"beyond 16 bits":        {`"🏃x"`, `"\ud83c\udfc3x"`, SameJSON, Difference{}},
		"half a pair":           {`"\ud83c"`, `"\ufffd"`, Different, Difference{"", `"\ud83c"`, `"\ufffd"`}},
		"half a pair, spelled":  {`"\ud83cx\ud83c\u0041"`, `"\uD83Cx\uD83CA"`, SameJSON, Difference{}},
		"a key twice":           {`{"a":1,"a":2}`, `{"a":2}`, SameJSON, Difference{}},
		"numbers":               {`[1.0,100,0.10,-0.0,5e-1,10e-1]`, `[1,1e2,0.1,0,0.5,1]`, SameJSON, Difference{}},
		"one float64":           {`0.1`, `0.1000000000000000055511151231257827`, SameJSON, Difference{}},
		"two float64s":          {`{"x":0.1}`, `{"x":0.1000000001}`, Different, Difference{"x", `0.1`, `0.1000000001`}},
		"large whole numbers":   {`[9007199254740993]`, `[9007199254740992]`, Different, Difference{"[0]", `9007199254740993`, `9007199254740992`}},
		"sign":                  {`[-1.5]`, `[1.5]`, Different, Difference{"[0]", `-1.5`, `1.5`}},
		"beyond float64":        {`[1e999,2.5e400]`, `[1e999,25e399]`, SameJSON, Difference{}},
		"beyond reason":         {`1e99999999999999999999`, `2e99999999999999999999`, Different, Difference{"", `1e99999999999999999999`, `2e99999999999999999999`}},
		"a value in a row": {`{"total":3,"results":[{"id":1,"athlete_rank":1},{"id":2,"athlete_rank":2}]}`,
			`{"total":3,"results":[{"id":1,"athlete_rank":1},{"id":2,"athlete_rank":3}]}`, Different, Difference{"results[1].athlete_rank", "2", "3"}},
		"a key missing":          {`{"a":{"x":1}}`, `{"a":{}}`, Different, Difference{"a.x", "1", "missing"}},
		"a key too many":         {`{"a":{}}`, `{"a":{"x":"y"}}`, Different, Difference{"a.x", "missing", `"y"`}},
		"a key of another kind":  {`{"a b":{"":{"7":1,"x7":[1]}}}`, `{"a b":{"":{"7":1,"x7":[2]}}}`, Different, Difference{`["a b"][""].x7[0]`, "1", "2"}},
		"null is not missing":    {`{"a":null}`, `{}`, Different, Difference{"a", "null", "missing"}},
		"types":                  {`[1]`, `["1"]`, Different, Difference{"[0]", `1`, `"1"`}},
		"more types":             {`{"a":null}`, `{"a":false}`, Different, Difference{"a", "null", "false"}},
		"list and object":        {`{"a":[]}`, `{"a":{}}`, Different, Difference{"a", "[]", "{}"}},
		"length":                 {`{"results":[1,2]}`, `{"results":[1]}`, Different, Difference{"results", "2 elements", "1 element"}},
		"length, and an element": {`[1,2,3]`, `[1,4]`, Different, Difference{"[1]", "2", "4"}},
		"order": {`{"results":[{"id":1},{"id":2},{"id":3}]}`, `{"results":[{"id":1},{"id":3},{"id":2}]}`,
			SameButOrder, Difference{"results[1].id", "2", "3"}},
		"order, and spelling":        {`[[1,2],[3,"é"]]`, `[["\u00e9",3.0],[2,1]]`, SameButOrder, Difference{"[0][0]", "1", `"\u00e9"`}},
		"the number of each name":    {`[1,1,2]`, `[1,2,2]`, Different, Difference{"[1]", "1", "2"}},
		"no lists that run together": {`[[1],[2,3]]`, `[[1,2],[3]]`, Different, Difference{"[0]", "1 element", "2 elements"}},
		"no texts that run together": {`["a","b\"1:c"]`, `["a\"3:b","c"]`, Different, Difference{"[0]", `"a"`, `"a\"3:b"`}},
		"no JSON":                    {`{"a":1}`, `<html>`, Different, Difference{"", `{"a":1}`, "not JSON: <html>"}},
		"nothing":                    {``, `{"a":1}`, Different, Difference{"", "nothing", `{"a":1}`}},
		"neither is JSON":            {`{`, `}`, Different, Difference{"", "not JSON: {", "not JSON: }"}},
		"more behind it":             {`{} {}`, `{}`, Different, Difference{"", "not JSON: {} {}", "{}"}},
		"too deep":                   {strings.Repeat("[", 65) + strings.Repeat("]", 65), `[]`, Different, Difference{"", "not JSON: " + strings.Repeat("[", 65) + strings.Repeat("]", 15) + "…", "[]"}},
		"long values": {`["` + strings.Repeat("é", 100) + `"]`, `["` + strings.Repeat("e", 80) + `"]`, Different,
			Difference{"[0]", `"` + strings.Repeat("é", 79) + "…", `"` + strings.Repeat("e", 79) + "…"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Compare([]byte(tt.a), []byte(tt.b))
			if got.Verdict != tt.verdict || (got.Difference == nil) != (tt.want == Difference{}) {
				t.Fatalf("%s, %+v", got.Verdict, got.Difference)
			}
			if got.Difference != nil && *got.Difference != tt.want {
				t.Errorf("%+v, want %+v", *got.Difference, tt.want)
			}
			if back := Compare([]byte(tt.b), []byte(tt.a)); back.Verdict != tt.verdict {
				t.Errorf("the other way round: %s", back.Verdict)
			}
		})
	}
}

// TestDepth holds that texts of the maximum depth are compared.
func TestDepth(t *testing.T) {
	nested := func(inner string) []byte {
		return []byte(strings.Repeat("[", maxDepth) + inner + strings.Repeat("]", maxDepth))
	}
	if got := Compare(nested("1"), nested("2")); got.Verdict != Different || got.Difference.Path != strings.Repeat("[0]", maxDepth) {
		t.Errorf("%s, %+v", got.Verdict, got.Difference)
	}
}

// shuffled returns v with all lists in another order.
func shuffled(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, j := range rand.Perm(len(v)) {
			out[i] = shuffled(v[j])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, of := range v {
			out[key] = shuffled(of)
		}
		return out
	}
	return v
}

// FuzzCompare holds that a text equals itself, that the verdict does not depend on the
// order of the arguments, and that spacing and the order of lists are no difference.
func FuzzCompare(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":null}],"c":"\ud83c\udfc3\n"}`, `[1.50,-0,1e3,12345678901234567890]`, `[[],{},"",[[]]]`, `{"a":1,"a":2}`, `{`, `"\ud800\udc0"`, `1e-400`} {
		f.Add([]byte(s), []byte(`{"a":[2,1]}`))
		f.Add([]byte(s), []byte(s+" "))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if got := Compare(a, a); got.Verdict != SameBytes || got.Difference != nil {
			t.Fatalf("%q is not itself: %+v", a, got)
		}
		ab, ba := Compare(a, b), Compare(b, a)
		if ab.Verdict != ba.Verdict || (ab.Difference == nil) != (ab.Verdict == SameBytes || ab.Verdict == SameJSON) {
			t.Fatalf("%q and %q: %+v and %+v", a, b, ab, ba)
		}
		if !usable(a) {
			return
		}
		var spaced bytes.Buffer
		if err := json.Indent(&spaced, a, " ", "\t"); err != nil {
			t.Fatal(err)
		}
		if got := Compare(a, spaced.Bytes()); got.Verdict != SameBytes && got.Verdict != SameJSON {
			t.Fatalf("%q with space: %+v, %+v", a, got, got.Difference)
		}
		var v any
		dec := json.NewDecoder(bytes.NewReader(a))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		// The output of encoding/json may differ from the text, as it replaces invalid
		// UTF-8, but equal texts must have equal output.
		plain, errA := json.Marshal(v)
		mixed, errB := json.Marshal(shuffled(v))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if got := Compare(plain, mixed); got.Verdict == Different {
			t.Fatalf("%s shuffled to %s: %+v", plain, mixed, got.Difference)
		}
	})
}

// list is an answer of production's size: n rows, 3.5 MB for 3900.
func list(n int, order []int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"total":%d,"limit":50000,"offset":0,"results":[`, n)
	for i, at := range order {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"ranking_id":%d`, at)
		for field := range 40 {
			fmt.Fprintf(&b, `,"some_field_%d":%d.%d`, field, field*at%97, at%9)
		}
		b.WriteByte('}')
	}
	b.WriteString("]}")
	return b.Bytes()
}

func BenchmarkCompare(b *testing.B) {
	const rows = 3900
	order := make([]int, rows)
	for i := range order {
		order[i] = i
	}
	a := list(rows, order)
	one := bytes.Clone(a)
	one[bytes.LastIndex(one, []byte(`"some_field_39":`))+len(`"some_field_39":`)] = '9'
	for name, tt := range map[string]struct {
		other   []byte
		verdict Verdict
	}{
		"same_bytes":     {bytes.Clone(a), SameBytes},
		"same_json":      {bytes.ReplaceAll(a, []byte(":0."), []byte(": 0.")), SameJSON},
		"spelling":       {bytes.ReplaceAll(a, []byte(".1"), []byte(".10")), SameJSON},
		"same_but_order": {list(rows, rand.Perm(rows)), SameButOrder},
		"different":      {one, Different},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(a)))
			b.ReportAllocs()
			for b.Loop() {
				if got := Compare(a, tt.other); got.Verdict != tt.verdict {
					b.Fatalf("%s, %+v", got.Verdict, got.Difference)
				}
			}
		})
	}
}
