package content

import (
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
)

var allCodings = []cache.Variant{
	{Coding: "", ETag: []byte(`"h"`)}, {Coding: "gzip", ETag: []byte(`"h-gzip"`)}, {Coding: "zstd", ETag: []byte(`"h-zstd"`)}, {Coding: "br", ETag: []byte(`"h-br"`)},
}

func TestNegotiate(t *testing.T) {
	n := &Negotiator{NewMemo[weights](4)} // some share a place
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
		"gzip;q = 0":                        "",
		"gzip ; q =0":                       "",
		"gzip;level=9;q=0":                  "",
		"gzip;q=0;level=9":                  "",
		"gzip;qq=0":                         "gzip",
		"gzip;q=0.000":                      "",
		"gzip;q=0.001":                      "gzip",
		"identity;q=1, gzip;q=0.5":          "",
		"identity;q=0.5, gzip;q=0.5":        "gzip",
		"identity;q=0.5, gzip;q=0.4, *;q=0": "",
		"identity;q=0":                      "",
		"*;q=0":                             "",
		"gzip, *;q=0":                       "gzip",
		"gzip;q=nonsense":                   "",
		"gzip;q=7":                          "",
		"gzip;q=2, br;q=0.1":                "br",
		"gzip;q=1.001":                      "",
		"gzip;q=1.000":                      "gzip",
		"gzip;q=1.":                         "gzip",
		`gzip;q="0"`:                        "",
		`gzip;q="1"`:                        "",
		"gzip;q=-1":                         "",
		"gzip;q=+1":                         "",
		"gzip;q=0.5x":                       "",
		"gzip;q=.5":                         "",
		"gzip;q=1e0":                        "",
		"gzip;q=":                           "",
		"gzip;q":                            "",
		"*;q=2":                             "",
		"identity;q=7, gzip;q=0.001":        "gzip",
		",,gzip,,":                          "gzip",
		"gzipped, brotli":                   "",
		"br;q=0.9, gzip;q=0.9, zstd;q=0.9, *;q=1": "",
	} {
		for range 3 { // the first time, and once it is known
			if v, _ := n.Select(allCodings, []byte(accept), nil); v.Coding != want {
				t.Errorf("%q: %q, want %q", accept, v.Coding, want)
			}
		}
	}
	small := allCodings[:1]
	for _, accept := range []string{"", "gzip", "*", "identity;q=0"} {
		if v, _ := n.Select(small, []byte(accept), nil); v != &small[0] {
			t.Errorf("a body in one form, %q: %+v", accept, v)
		}
	}
}

// TestMatchETag: a copy in a coding that the client accepts is good, and the tag of the
// 304 names it.
func TestMatchETag(t *testing.T) {
	n := NewNegotiator()
	for _, tt := range []struct{ accept, header, want string }{
		{"br, zstd, gzip", "", ""},
		{"br, zstd, gzip", `"h"`, `"h"`},
		{"br, zstd, gzip", `"h-gzip"`, `"h-gzip"`},
		{"br, zstd, gzip", `W/"h-br"`, `"h-br"`},
		{"br, zstd, gzip", `"x", "h-zstd"`, `"h-zstd"`},
		{"br, zstd, gzip", `W/"h-br11"`, `"h-br11"`},
		{"gzip", `"h-br11"`, ""}, {"*", `"h-br12"`, ""}, {"*", `"h-gzip11"`, ""},
		{"br, zstd, gzip", `"x","y"`, ""},
		{"br, zstd, gzip", `W/"x" , W/"h"`, `"h"`},
		{"br, zstd, gzip", ` "h" `, `"h"`},

		// A star stands for the variant that would be sent.
		{"br, zstd, gzip", "*", `"h-br"`},
		{"gzip", `"x", *`, `"h-gzip"`},
		{"", "*", `"h"`},

		// A copy in a coding that the client does not accept is none.
		{"", `"h-gzip"`, ""},
		{"gzip", `"h-br"`, ""},
		{"gzip;q=0", `"h-gzip"`, ""},
		{"gzip", `"h-br", "h-gzip"`, `"h-gzip"`},
		{"*;q=0", `"h-gzip"`, ""},
		{"*;q=0", `"h"`, `"h"`},
		{"*", `"h-zstd"`, `"h-zstd"`},

		{"*", `"h-deflate"`, ""}, {"*", `"hh"`, ""}, {"*", `"hh-br"`, ""}, {"*", `"h-br`, ""}, {"*", `"h-brx"`, ""},
		{"*", `"hbr"`, ""}, {"*", `"`, ""}, {"*", `h`, ""}, {"*", `"h`, ""}, {"*", `"h-"`, ""}, {"*", `w/"h"`, ""},
	} {
		if _, got := n.Select(allCodings, []byte(tt.accept), []byte(tt.header)); string(got) != tt.want {
			t.Errorf("Accept-Encoding %q, If-None-Match %s: %q, want %q", tt.accept, tt.header, got, tt.want)
		}
	}
}

// TestMatches: an If-Match header names a body in any coding, but never weakly.
func TestMatches(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, `"h"`: true, `"h-gzip"`: true, `"x", "h-br"`: true, `"h-br11"`: true, "*": true, `"x", *`: true,
		`W/"h"`: false, `"x"`: false, `"hh"`: false, `"h-rot13"`: false, "h": false,
	} {
		if got := Matches([]byte(`"h"`), []byte(header)); got != want {
			t.Errorf("%s: %t", header, got)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("gzip;q=0.5, *;q=0", `W/"h", *`)
	n := NewNegotiator()
	f.Fuzz(func(t *testing.T, accept, match string) {
		v, tag := n.Select(allCodings, []byte(accept), []byte(match))
		if v == nil || match == "" && tag != nil {
			t.Fatalf("%q, %q: %v, %q", accept, match, v, tag)
		}
		w := parseAccept([]byte(accept))
		for _, n := range append(w.coding[:], w.identity) {
			if n < 0 || n > 1000 {
				t.Fatalf("%q: %+v", accept, w)
			}
		}
	})
}
