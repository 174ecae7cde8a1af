package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden file anew")

// declared are the types of this package that are a whole request or answer.
var declared = []any{
	MaintenanceRequest{}, MaintenanceState{}, PurgeRequest{}, Purged{}, Entry{}, History{}, SourceRequest{}, SourceState{}, Stats{},
	VerifyRequest{}, VerifySubjects{}, Comparison{}, WarmRequest{}, WarmTicket{}, WarmState{},
}

// TestJSON holds the names, the order and the form of all fields in JSON, filled and
// empty: programs of operators read them. A new field changes testdata/json.golden,
// which go test -update writes.
func TestJSON(t *testing.T) {
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetIndent("", "  ")
	for _, empty := range declared {
		full := reflect.New(reflect.TypeOf(empty))
		fill(full.Elem(), new(0))
		for _, v := range []any{empty, full.Interface()} {
			fmt.Fprintf(&got, "%T: ", v)
			if err := enc.Encode(v); err != nil {
				t.Fatal(err)
			}
		}
	}
	const golden = "testdata/json.golden"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.SplitAfter(got.String(), "\n"), strings.SplitAfter(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("line %d of %s differs: got %q; if that is meant, go test ./proxy/admin/api -update writes the file anew", i+1, golden, gotLines[min(i, len(gotLines)-1)])
		}
	}
}

// fill sets all fields of a value, and gives each number another value.
func fill(v reflect.Value, n *int) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		*n++
		v.Set(reflect.ValueOf(time.Unix(int64(*n), 0).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), n)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	default:
		*n++
		setLeaf(v, *n)
	}
}

// setLeaf sets a text, a number or a truth value.
func setLeaf(v reflect.Value, n int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(n) + 0.5)
	case reflect.Uint32:
		v.SetUint(uint64(n))
	default:
		v.SetInt(int64(n))
	}
}
