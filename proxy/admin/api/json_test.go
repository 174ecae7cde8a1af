package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
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
		fill(full.Elem(), fmt.Sprintf("%T", empty))
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

// fill sets all fields of a value, each to a value that follows from its path: a new field
// changes no other line of the golden file.
func fill(v reflect.Value, path string) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(numberOf(path), 0).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Anonymous { // its fields are on this level in JSON
				fill(v.Field(i), path)
			} else {
				fill(v.Field(i), path+"."+f.Name)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), path)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), path)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), fmt.Sprint(path, i))
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, path+" key")
		fill(value, path)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	default:
		setLeaf(v, path)
	}
}

// numberOf returns a number of six digits that follows from a path.
func numberOf(path string) int64 { return 100000 + int64(crc32.ChecksumIEEE([]byte(path))%900000) }

// setLeaf sets a text, a number or a truth value.
func setLeaf(v reflect.Value, path string) {
	switch n := numberOf(path); v.Kind() {
	case reflect.String:
		v.SetString(path[strings.LastIndex(path, ".")+1:])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(n) + 0.5)
	case reflect.Uint32:
		v.SetUint(uint64(n))
	default:
		v.SetInt(n)
	}
}
