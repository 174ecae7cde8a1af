//go:build !race

// The test inflates more than 100 MB in one goroutine, which the race detector makes ten
// times slower, and measures allocations.

package legacy

import (
	"runtime"
	"strings"
	"testing"
)

// A compressed body is checked in pieces: it is passed on if it is complete and
// contains one JSON text. The check takes little memory for any inflated size.
func TestCheckCompressed(t *testing.T) {
	piece := strings.Repeat("x", 1<<20)
	rows := strings.Repeat(`{"a":[1,2.5e3,"b",null,true]},`, 1<<15)
	for name, tt := range map[string]struct {
		body []byte
		json bool
		want string // part of the error
	}{
		"JSON":               {gzipped(t, strings.NewReader(`{"a":[1,{"b":"c"}],"d":1e999}`)), true, ""},
		"long JSON":          {gzipped(t, strings.NewReader("["), repeated(rows, 20), strings.NewReader("1]")), true, ""},
		"a number":           {gzipped(t, strings.NewReader(" 1 ")), true, ""},
		"no JSON":            {gzipped(t, strings.NewReader("<html>")), true, "not JSON"},
		"nothing":            {gzipped(t), true, "not JSON"},
		"half a JSON text":   {gzipped(t, strings.NewReader(`{"a":[1`)), true, "not JSON"},
		"two JSON texts":     {gzipped(t, strings.NewReader(`{} {}`)), true, "not JSON"},
		"deep":               {gzipped(t, repeated("[", 20_000), repeated("]", 20_000)), true, "not JSON"},
		"a page":             {gzipped(t, strings.NewReader("<html>")), false, ""},
		"cut":                {gzipped(t, strings.NewReader(rows))[:500], false, "compressed body"},
		"cut JSON":           {gzipped(t, strings.NewReader("["), repeated(rows, 2))[:500], true, "compressed body"},
		"no gzip":            {[]byte("<html>"), false, "compressed body"},
		"a bomb":             {gzipped(t, repeated(piece, 40)), false, "more than"},
		"a bomb in a text":   {gzipped(t, strings.NewReader(`"`), repeated(piece, 40)), true, "more than"},
		"a bomb of brackets": {gzipped(t, repeated(strings.Repeat("[", 1<<20), 30)), true, "not JSON"},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		err := checkCompressed(tt.body, tt.json)
		runtime.ReadMemStats(&after)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if strings.HasPrefix(name, "a bomb") && after.TotalAlloc-before.TotalAlloc > 32<<20 {
			t.Errorf("%s: %d bytes were taken", name, after.TotalAlloc-before.TotalAlloc)
		}
	}
}
