package content

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// TestDamagedBodies: bytes that are no gzip are not inflated, and make no form in brotli.
func TestDamagedBodies(t *testing.T) {
	body := proxytest.List(2 * LargeBody)
	broken := Variants(body)
	broken[Gzip].Body = broken[Gzip].Body[:len(broken[Gzip].Body)/2]
	if plain(broken, len(body)) != nil {
		t.Error("half of a body is inflated")
	}
	if better, added := withBrotli(broken, len(body)); added || codings(better) != "* gzip" {
		t.Error("half of a body is a form in brotli")
	}
	saved := append(Variants(body), cache.Variant{Coding: "zstd", Body: []byte("made by an earlier version"), ETag: []byte(`"1-zstd"`)})
	if better, added := withBrotli(saved, len(body)); !added || codings(better) != "* gzip br" || codings(saved) != "* gzip zstd" {
		t.Errorf("%q of %q: brotli replaces zstd", codings(better), codings(saved))
	}
	if intact := Variants(body); !bytes.Equal(plain(intact, len(body)), body) {
		t.Error("another body")
	}
	defer func() {
		if v := recover(); v == nil {
			t.Error("no panic")
		}
	}()
	Inflate(&cache.Variant{Coding: "gzip", Body: []byte("this is no gzip, and longer than a header")})
}

// TestUnsoundQuotes: both quotes of an ETag are needed.
func TestUnsoundQuotes(t *testing.T) {
	for _, tag := range []string{`"abc`, `abc"`, `abcd`} {
		if soundETag([]byte(tag)) {
			t.Errorf("%s is sound", tag)
		}
	}
}

// TestOtherTags: texts that resemble the ETags of a body do not name it.
func TestOtherTags(t *testing.T) {
	n := NewNegotiator()
	plain := []byte(`"0123456789abcdef"`)
	variants := []cache.Variant{{ETag: plain}, {Coding: "gzip", ETag: []byte(`"0123456789abcdef-gzip"`)}}
	for _, tag := range []string{`"`, `"0`, `"0123456789abcdef`, `"0123456789abcdefx`, `"0123456789abcdef-gzipx`, `"0123456789abcdef_gzip"`, `"0123456789abcdefgzip"`} {
		header := slices.Clip([]byte(tag)) // no byte after it may be read
		if Matches(plain, header) {
			t.Errorf("If-Match %s: it matches", tag)
		}
		if _, got := n.Select(variants, []byte("gzip"), header); got != nil {
			t.Errorf("If-None-Match %s: %s", tag, got)
		}
	}
}

// TestAcceptedCopies: a plain copy is good for every client, and a copy in a coding of the
// least weight for the client that gives it.
func TestAcceptedCopies(t *testing.T) {
	n := NewNegotiator()
	for _, tt := range []struct{ accept, header, want string }{
		{"gzip, identity;q=0", `"h"`, `"h"`},
		{"br, gzip;q=0.001", `"h-gzip"`, `"h-gzip"`},
		{"br, gzip;q=0", `"h-gzip"`, ""},
	} {
		if _, got := n.Select(allCodings, []byte(tt.accept), []byte(tt.header)); string(got) != tt.want {
			t.Errorf("Accept-Encoding %q, If-None-Match %s: %q, want %q", tt.accept, tt.header, got, tt.want)
		}
	}
}

// TestTwoForms: a body is sent in the form that the client prefers, also if it has only
// two.
func TestTwoForms(t *testing.T) {
	n := NewNegotiator()
	for accept, want := range map[string]string{"gzip": "gzip", "br": "", "br, gzip;q=0.1": "gzip", "": ""} {
		if v, _ := n.Select(allCodings[:2], []byte(accept), nil); v.Coding != want {
			t.Errorf("%q: %q, want %q", accept, v.Coding, want)
		}
	}
}

// TestOtherWeights: a weight is a number from 0 to 1, and an old name of a coding begins
// with x and a hyphen.
func TestOtherWeights(t *testing.T) {
	for text, want := range map[string]int{"q=/": 0, "q=:": 0, "q=1": 1000, "q=1.0": 1000, "q=1.001": 0, "q=a": 0,
		"q=0.00/": 0, "q=0.00:": 0, "q=0.000x": 0, "q=0.5000/": 0, "q=0.5000:": 0, "q=0.50000": 500} {
		if got := weight([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	for name, want := range map[string]int{"x-gzip": 1000, "xygzip": 0, "y-gzip": 0, "x-": 0, "GZIP": 1000} {
		w := parseAccept([]byte(name))
		if got := w.of([]byte("gzip")); got != want {
			t.Errorf("%q: gzip has %d, want %d", name, got, want)
		}
	}
}

// TestKnownHeaders: the choice for a header that was seen before allocates nothing.
func TestKnownHeaders(t *testing.T) {
	n := NewNegotiator()
	accept := []byte("gzip, deflate, br, zstd")
	if got := testing.AllocsPerRun(100, func() { n.Select(allCodings, accept, nil) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// TestMemoClear: a memo that was cleared has forgotten all texts, and remembers new
// texts.
func TestMemoClear(t *testing.T) {
	m := NewMemo[int](8)
	for i, text := range []string{"a", "b", "c"} {
		put(&m, text, i+1)
	}
	m.Clear()
	for _, text := range []string{"a", "b", "c"} {
		if n := got(&m, text); n != 0 {
			t.Errorf("%s: %d", text, n)
		}
	}
	if put(&m, "a", 4); got(&m, "a") != 4 {
		t.Error("a new text is not remembered")
	}
}

// TestMemoPlaces: a memo has the least power of two of places that is enough.
func TestMemoPlaces(t *testing.T) {
	for room, want := range map[int]int{0: 2, 1: 2, 2: 2, 3: 4, 4: 4, 5: 8, 64: 64, 65: 128} {
		m := NewMemo[int](room)
		if n := 2 * len(m.pairs); n != want {
			t.Errorf("room for %d: %d places, want %d", room, n, want)
		}
	}
}

// TestCompressorsAreUsedAgain: writers and readers of gzip, which take much memory, are
// not made for each body.
func TestCompressorsAreUsedAgain(t *testing.T) {
	const bodies = 50 // a pool may lose some of them
	body := proxytest.List(2 << 10)
	var writers, readers int
	pool := &sync.Pool{New: func() any { writers++; return gzipWriters.New() }}
	before := gzipReaders.New
	gzipReaders = sync.Pool{New: func() any { readers++; return before() }}
	defer func() { gzipReaders = sync.Pool{New: before} }()
	for range bodies {
		z, ok := Inflate(&cache.Variant{Coding: "gzip", Body: compress(pool, body)})
		if !ok {
			t.Fatal("it is gone")
		}
		z.Close()
	}
	if writers >= bodies || readers >= bodies {
		t.Errorf("%d writers and %d readers for %d bodies", writers, readers, bodies)
	}
}

// failing is a body whose end fails.
type failing struct{ io.Reader }

var errClose = errors.New("it can't be closed")

func (failing) Close() error { return errClose }

// TestPaceClose: the error of closing a body is the caller's.
func TestPaceClose(t *testing.T) {
	if err := NewPace(1).Reader(failing{strings.NewReader("")}).Close(); err != errClose {
		t.Error(err)
	}
}

// randomBody returns n bytes that can't be compressed.
func randomBody(n int) []byte {
	body := make([]byte, n)
	rand.New(rand.NewSource(1)).Read(body)
	return body
}
