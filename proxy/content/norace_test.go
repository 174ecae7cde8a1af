//go:build !race

// Tests that compress for seconds. The race detector makes them ten times slower, and the
// other tests run the same code with it.

package content

import (
	"bytes"
	"math/rand"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// TestVariantsRepeat: the forms of a body are always the same bytes, as their ETags
// promise, independent of earlier bodies.
func TestVariantsRepeat(t *testing.T) {
	sizes := []int{2 << 10, 60 << 10, 200 << 10, 1<<20 - 200, 1 << 20, 2 << 20}
	forms := func(body []byte) [][]byte {
		made := [][]byte{brotliOf(body)}
		for _, v := range Variants(body) {
			made = append(made, v.Body)
		}
		return made
	}
	var bodies [][]byte
	var want [][][]byte
	for _, size := range sizes {
		for _, pool := range []*sync.Pool{&gzipWriters, &rowsWriters, &brotliWriters} {
			*pool = sync.Pool{New: pool.New}
		}
		body := proxytest.List(size)
		bodies, want = append(bodies, body), append(want, forms(body))
	}
	for range 3 {
		for _, i := range rand.Perm(len(bodies)) {
			for form, made := range forms(bodies[i]) {
				if !bytes.Equal(made, want[i][form]) {
					t.Errorf("form %d of %d bytes: %d bytes, of a new writer %d", form, len(bodies[i]), len(made), len(want[i][form]))
				}
			}
		}
	}
}

// TestShrinker: only a large body in brotli is made smaller, once, and the form has an
// ETag of its own. The work ends as soon as it may not go on.
func TestShrinker(t *testing.T) {
	const linux = runtime.GOOS == "linux"
	var memory memfile.Memory
	shrinker := Shrinker(&memory, nil)
	always := func() bool { return true }
	for size, want := range map[int]bool{1: false, CompressAbove: false, LargeBody: false, 2 * LargeBody: true} {
		body := proxytest.List(size)[:size]
		e := &cache.Entry{Content: cache.Content{Status: 200, Size: size, Variants: OfFile(body, true)}}
		if got := shrinker.Can(e); got != want {
			t.Errorf("%d bytes: can be made smaller: %t", size, got)
		}
		if !want {
			continue
		}
		pieces := 0
		if better := shrinker.Make(e, func() bool { pieces++; return pieces < 2 }); better != nil || pieces != 2 {
			t.Errorf("%d bytes: went on for %d pieces", size, pieces)
		}
		better := shrinker.Make(e, always)
		if codings(better) != "* gzip br" || proxytest.Plain(t, better[Small].Coding, better[Small].Reader()) != string(body) {
			t.Fatalf("%d bytes: %q, or another body", size, codings(better))
		}
		if a, b := better[Small].Len(), e.Variants[Small].Len(); a*10 > b*9 {
			t.Errorf("%d bytes: %d in the smallest form, %d before", size, a, b)
		}
		hash := strings.TrimSuffix(string(e.Variants[Identity].ETag), `"`)
		if tag := string(better[Small].ETag); tag != hash+`-br11"` || string(e.Variants[Small].ETag) != hash+`-br"` {
			t.Errorf("%d bytes: ETag %s, before %s", size, tag, e.Variants[Small].ETag)
		}
		e.Variants = better
		if err := Check(&e.Content); err != nil || shrinker.Can(e) {
			t.Errorf("%d bytes: %v, or can be made still smaller", size, err)
		}
		if again := shrinker.Make(e, always); again != nil {
			t.Errorf("%d bytes: made smaller twice", size)
		}
	}
	body := make([]byte, 360<<10) // whose smallest form takes three quarters, in a memory file
	for i, x := 0, uint32(1); i < len(body); i++ {
		x = x*1664525 + 1013904223
		body[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/"[x>>26]
	}
	e := &cache.Entry{Content: cache.Content{Status: 200, Size: len(body), Variants: Variants(body)}}
	e.Variants = append(e.Variants, cache.Variant{Coding: "br", ETag: []byte(`"h-br"`), Body: body})
	better := shrinker.Make(e, always)
	if linux && (better[Small].File == nil || memory.Files() == 0) {
		t.Error("a large form is on the heap")
	}
	for i := range better {
		better[i].Release()
	}
	if memory.Files() != 0 {
		t.Errorf("%d files are left", memory.Files())
	}
	gone := *e
	gone.Variants = slices.Clone(better)
	if linux && shrinker.Make(&gone, always) != nil {
		t.Error("a body that is gone is made smaller")
	}
}

// TestFormOfAnotherBody: bytes that are no form of the body, or only a part of one, are not
// used.
func TestFormOfAnotherBody(t *testing.T) {
	body := proxytest.List(2 * LargeBody)[:2*LargeBody]
	other := bytes.Clone(body)
	other[len(other)-1]++
	best := BestBrotli(body)
	e := &cache.Entry{Content: cache.Content{Status: 200, Size: len(body), Variants: OfFile(body, true)}}
	for name, tt := range map[string]struct {
		made []byte
		used bool
	}{
		"the form": {best, true}, "nothing": {[]byte{}, false}, "a part": {best[:len(best)-1], false}, "more": {append(bytes.Clone(best), 'x'), false},
		"a part of the body": {BestBrotli(body[:len(body)-1]), false}, "another body": {BestBrotli(other), false}, "noise": {[]byte("no brotli"), false},
	} {
		better := Shrinker(&memfile.Memory{}, func([]byte, func() bool) []byte { return tt.made }).Make(e, func() bool { return true })
		if used := better != nil; used != tt.used {
			t.Errorf("%s: used %t", name, used)
		}
		for i := range better {
			better[i].Release()
		}
	}
}

// TestShrinkerLimits: the smallest form is made of bodies above LargeBody that have a form
// to replace, in pieces, and is kept only if it is smaller.
func TestShrinkerLimits(t *testing.T) {
	shrinker := Shrinker(&memfile.Memory{}, nil)
	body := proxytest.List(LargeBody + 1)[:LargeBody+1]
	made := OfFile(body, true)
	best := slices.Clone(made)
	best[Small].ETag = tagOf(made, bestSuffix)
	for name, tt := range map[string]struct {
		size     int
		variants []cache.Variant
		can      bool
	}{
		"at the limit":         {LargeBody, made, false},
		"over the limit":       {LargeBody + 1, made, true},
		"without a third form": {LargeBody + 1, made[:Small], false},
		"in its smallest form": {LargeBody + 1, best, false},
	} {
		if got := shrinker.Can(&cache.Entry{Content: cache.Content{Status: 200, Size: tt.size, Variants: tt.variants}}); got != tt.can {
			t.Errorf("%s: %t", name, got)
		}
	}
	calls := 0
	entry := func(n int) *cache.Entry { // with n bytes in the form that is replaced
		variants := slices.Clone(made)
		variants[Small].Body = make([]byte, n)
		return &cache.Entry{Content: cache.Content{Status: 200, Size: len(body), Variants: variants}}
	}
	better := shrinker.Make(entry(len(body)), func() bool { calls++; return true })
	if codings(better) != "* gzip br" || proxytest.Plain(t, better[Small].Coding, better[Small].Reader()) != string(body) || string(better[Small].ETag) != string(best[Small].ETag) || calls != 2 {
		t.Fatalf("%q in %d pieces", codings(better), calls)
	}
	n := better[Small].Len()
	for size, want := range map[int]bool{n: false, n + 1: true} {
		if got := shrinker.Make(entry(size), func() bool { return true }); (got != nil) != want {
			t.Errorf("%d bytes instead of %d: %q", n, size, codings(got))
		}
	}
	for stop := range 2 {
		calls = 0
		if got := shrinker.Make(entry(len(body)), func() bool { calls++; return calls <= stop }); got != nil || calls != stop+1 {
			t.Errorf("%q after %d pieces of %d", codings(got), calls, stop)
		}
	}
	damaged := entry(len(body))
	damaged.Variants[Gzip].Body = damaged.Variants[Gzip].Body[:100]
	if got := shrinker.Make(damaged, func() bool { return true }); got != nil {
		t.Errorf("half of a body: %q", codings(got))
	}
}
