package proxy

import (
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
)

var allCodings = []cache.Variant{
	{Coding: "", ETag: []byte(`"h"`)}, {Coding: "gzip", ETag: []byte(`"h-gzip"`)}, {Coding: "zstd", ETag: []byte(`"h-zstd"`)}, {Coding: "br", ETag: []byte(`"h-br"`)},
}

func TestNegotiate(t *testing.T) {
	known := newMemo[weights](4) // some share a place
	for accept, want := range map[string]string{
		"":                                  "",
		"gzip, deflate, br, zstd":           "br",
		"gzip, deflate, br":                 "br",
		"gzip, deflate":                     "gzip",
		"gzip":                              "gzip",
		"GZip":                              "gzip",
		"x-gzip":                            "gzip",
		"deflate":                           "",
		"identity":                          "",
		"*":                                 "br",
		"br;q=0, *":                         "zstd",
		"br;q=0, zstd;q=0, *":               "gzip",
		"gzip;q=1.0, br;q=0.5":              "gzip",
		"gzip;q=0.5,br;q=0.501":             "br",
		"gzip ; q=0.4 , zstd ; Q=0.5":       "zstd",
		"gzip;q=0":                          "",
		"gzip;q=0.000":                      "",
		"gzip;q=0.001":                      "gzip",
		"identity;q=1, gzip;q=0.5":          "",
		"identity;q=0.5, gzip;q=0.5":        "gzip",
		"identity;q=0.5, gzip;q=0.4, *;q=0": "",
		"identity;q=0":                      "",
		"*;q=0":                             "",
		"gzip, *;q=0":                       "gzip",
		"gzip;q=nonsense":                   "gzip",
		"gzip;q=7":                          "gzip",
		"gzip;q=":                           "gzip",
		",,gzip,,":                          "gzip",
		"gzipped, brotli":                   "",
		"br;q=0.9, gzip;q=0.9, zstd;q=0.9, *;q=1": "",
	} {
		for range 3 { // the first time, and once it is known
			if got := allCodings[negotiate(&known, allCodings, []byte(accept))].Coding; got != want {
				t.Errorf("%q: %q, want %q", accept, got, want)
			}
		}
	}
	small := allCodings[:1]
	for _, accept := range []string{"", "gzip", "*", "identity;q=0"} {
		if got := negotiate(&known, small, []byte(accept)); got != 0 {
			t.Errorf("a body in one form, %q: %d", accept, got)
		}
	}
}

func TestMatchETag(t *testing.T) {
	for header, want := range map[string]string{
		"": "", `"h"`: `"h"`, `"h-gzip"`: `"h-gzip"`, `W/"h-br"`: `"h-br"`, `"x", "h-zstd"`: `"h-zstd"`, `"x","y"`: "", "*": `"h"`,
		`"h-deflate"`: "", `"hh"`: "", `"hh-br"`: "", `"h-br`: "", `"h-brx"`: "", `"hbr"`: "", `"`: "", `h`: "", `"h`: "", `"h-"`: "", ` "h" `: `"h"`, `W/"x" , W/"h"`: `"h"`, `w/"h"`: "",
	} {
		if got := string(matchETag([]byte(`"h"`), []byte(header))); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("gzip;q=0.5, *;q=0", `W/"h", *`)
	known := newMemo[weights](64)
	f.Fuzz(func(t *testing.T, accept, match string) {
		if i := negotiate(&known, allCodings, []byte(accept)); i < 0 || i >= len(allCodings) {
			t.Fatalf("%q: %d", accept, i)
		}
		w := parseAccept([]byte(accept))
		for _, n := range append(w.coding[:], w.identity) {
			if n < 0 || n > 1000 {
				t.Fatalf("%q: %+v", accept, w)
			}
		}
		matchETag([]byte(`"h"`), []byte(match))
	})
}
