package content

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// codings returns the codings of variants, with a star for a variant without a body.
func codings(variants []cache.Variant) string {
	var names []string
	for i := range variants {
		name := variants[i].Coding
		if !variants[i].HasBody() {
			name += "*"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// checkForms checks that variants are the forms of a body, each with its own ETag.
func checkForms(t *testing.T, body []byte, variants []cache.Variant, want string) {
	t.Helper()
	if got := codings(variants); got != want {
		t.Errorf("%d bytes: %q, want %q", len(body), got, want)
		return
	}
	hash := strings.TrimSuffix(string(variants[0].ETag), `"`)
	for i := range variants {
		v := &variants[i]
		tag := hash + `"`
		if v.Coding != "" {
			tag = hash + "-" + v.Coding + `"`
		}
		if string(v.ETag) != tag {
			t.Errorf("%d bytes, %q: ETag %s, want %s", len(body), v.Coding, v.ETag, tag)
		}
		if v.HasBody() && proxytest.Plain(t, v.Coding, v.Reader()) != string(body) {
			t.Errorf("%d bytes, %q: another body", len(body), v.Coding)
		}
		if v.Coding != "" && v.Len() >= len(body) {
			t.Errorf("%d bytes, %q: %d bytes are no compression", len(body), v.Coding, v.Len())
		}
	}
}

// TestForms: a small body is kept as it is, a larger one in gzip, and in brotli where that
// is quick or there is time.
func TestForms(t *testing.T) {
	recode := Recoder(&memfile.Memory{}, nil)
	for size, want := range map[int]struct{ first, recoded, file string }{
		0: {"", "", ""}, 1: {"", "", ""}, CompressAbove: {"", "", ""},
		CompressAbove + 1: {"* gzip br", "", "* gzip br"}, LargeBody: {"* gzip br", "", "* gzip br"},
		LargeBody + 1: {"* gzip", "* gzip br", "* gzip br"}, 4 << 20: {"* gzip", "* gzip br", "* gzip br"},
	} {
		body := bytes.Repeat([]byte("0123456789abcdef, a body "), size/25+1)[:size]
		given := bytes.Clone(body)
		made := Variants(given)
		clear(given) // Variants keeps none of it
		checkForms(t, body, made, want.first)
		e := &cache.Entry{Content: cache.Content{Status: 200, Size: size, Variants: made}}
		if err := Check(&e.Content); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		better := recode(e)
		if (better != nil) != (want.recoded != "") {
			t.Errorf("%d bytes: recoded %q", size, codings(better))
		}
		if better != nil {
			checkForms(t, body, better, want.recoded)
			checkForms(t, body, made, want.first) // which stays as it was
			e.Variants = better
			if err := Check(&e.Content); err != nil {
				t.Errorf("%d bytes, recoded: %v", size, err)
			}
			if again := recode(e); again != nil {
				t.Errorf("%d bytes: recoded twice", size)
			}
		}
		checkForms(t, body, OfFile(bytes.Clone(body), true), want.file)
		checkForms(t, body, OfFile(bytes.Clone(body), false), "")
	}
}

// TestRecodedFiles: a body that is large when it is compressed moves to a memory file,
// which the last user closes.
func TestRecodedFiles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no memory files here")
	}
	var memory memfile.Memory
	body := make([]byte, 600<<10) // which compresses to half
	for i, x := 0, uint32(1); i < len(body); i++ {
		x = x*1664525 + 1013904223
		body[i] = "0123456789abcdef"[x>>28]
	}
	e := &cache.Entry{Content: cache.Content{Status: 200, Size: len(body), Variants: Variants(body)}}
	better := Recoder(&memory, nil)(e)
	checkForms(t, body, better, "* gzip br")
	files := 0
	for i := range better {
		if v := &better[i]; v.File != nil {
			files++
			if v.Body != nil || v.Len() < FileFrom {
				t.Errorf("%s: %d bytes, on the heap too: %t", v.Coding, v.Len(), v.Body != nil)
			}
		} else if len(v.Body) >= FileFrom {
			t.Errorf("%s: %d bytes are on the heap", v.Coding, v.Len())
		}
	}
	if files == 0 || memory.Files() != int64(files) {
		t.Errorf("%d files, %d are counted", files, memory.Files())
	}
	e.Variants = better
	if Check(&e.Content) != nil {
		t.Error("it is not sound")
	}
	if again := Recoder(&memory, nil)(e); again != nil || memory.Files() != int64(files) {
		t.Errorf("recoded twice, %d files", memory.Files())
	}
	if z, ok := Inflate(&better[Gzip]); !ok {
		t.Error("it is not inflated")
	} else if all, err := io.ReadAll(z); !bytes.Equal(all, body) || errors.Join(err, z.Close()) != nil {
		t.Errorf("%d bytes, %v", len(all), err)
	}
	for i := range better {
		better[i].Release()
	}
	if memory.Files() != 0 {
		t.Errorf("%d files are left", memory.Files())
	}
	if _, ok := Inflate(&better[Gzip]); ok {
		t.Error("a body that is gone is inflated")
	}
}

// TestInflateReuses: a reader that was used before reads its own body.
func TestInflateReuses(t *testing.T) {
	for n := range 20 {
		body := bytes.Repeat(fmt.Append(nil, n, ", "), 2000)
		v := Variants(body)
		z, ok := Inflate(&v[Gzip])
		if !ok {
			t.Fatal(ok)
		}
		if n%3 == 0 {
			z.Close() // before its end
			continue
		}
		if all, err := io.ReadAll(z); err != nil || !bytes.Equal(all, body) {
			t.Errorf("%d bytes, %v", len(all), err)
		}
		z.Close()
	}
}

// TestStatuses: each status may or may not be stored, and reports a missing row or not.
func TestStatuses(t *testing.T) {
	for status := range 600 {
		stored := status == 200 || status == 400 || status == 404 || status == 501
		c := &cache.Content{Status: status, Size: 2, Variants: Variants([]byte("{}"))}
		if Storable(status) != stored || (Check(c) == nil) != stored || Absent(c) != (status != 200) {
			t.Errorf("%d: storable %t, %v, absent %t", status, Storable(status), Check(c), Absent(c))
		}
	}
}

// TestUnsound: an answer that this program could not have made is none of its own.
func TestUnsound(t *testing.T) {
	body := bytes.Repeat([]byte("a body "), 500)
	for name, change := range map[string]func(*cache.Content){
		"no variant":           func(c *cache.Content) { c.Variants = nil },
		"identity alone":       func(c *cache.Content) { c.Variants = c.Variants[:1] },
		"without the second":   func(c *cache.Content) { c.Variants = append(c.Variants[:1:1], c.Variants[2]) },
		"identity twice":       func(c *cache.Content) { c.Variants[Small].Coding = "" },
		"gzip in the first":    func(c *cache.Content) { c.Variants[Identity].Coding = "gzip" },
		"brotli in the second": func(c *cache.Content) { c.Variants[Gzip].Coding = "br" },
		"an unknown coding":    func(c *cache.Content) { c.Variants[Small].Coding = "rot13" },
		"an empty body":        func(c *cache.Content) { c.Variants[Small].Body = nil },
		"a plain body too":     func(c *cache.Content) { c.Variants[Identity].Body = body },
		"no gzip, first byte":  func(c *cache.Content) { c.Variants[Gzip].Body = append([]byte{0}, c.Variants[Gzip].Body[1:]...) },
		"no gzip, second byte": func(c *cache.Content) { b := bytes.Clone(c.Variants[Gzip].Body); b[1] = 0; c.Variants[Gzip].Body = b },
		"gzip without content": func(c *cache.Content) {
			b := c.Variants[Gzip].Body
			c.Variants[Gzip].Body = append(b[:14:14], b[len(b)-4:]...)
		},
		"a larger size":         func(c *cache.Content) { c.Size++ },
		"a smaller size":        func(c *cache.Content) { c.Size-- },
		"a large body, plain":   func(c *cache.Content) { c.Variants = OfFile(body, false) },
		"a small body, no body": func(c *cache.Content) { *c = cache.Content{Status: 200, Variants: OfFile(nil, false)} },
		"a small body, its size": func(c *cache.Content) {
			*c = cache.Content{Status: 200, Size: 3, Variants: OfFile([]byte("{}"), false)}
		},
	} {
		c := &cache.Content{Status: 200, Size: len(body), Variants: Variants(body)}
		if err := Check(c); err != nil {
			t.Fatal(err)
		}
		if change(c); Check(c) == nil {
			t.Errorf("%s: it is sound", name)
		}
	}
	for tag, sound := range map[string]bool{
		`"a"`: true, `"!~"`: true, `"0123456789abcdef-gzip"`: true,
		``: false, `"`: false, `""`: false, `a`: false, `"a`: false, `a"`: false, `aaa`: false, `W/"a"`: false, `"a"b"`: false, `"a b"`: false,
		"\"a\x7f\"": false, "\"a\r\nX: y\"": false, "\"\xff\"": false, "\"a\tb\"": false,
	} {
		for i := range 3 {
			c := &cache.Content{Status: 200, Size: len(body), Variants: Variants(body)}
			c.Variants[i].ETag = []byte(tag)
			if (Check(c) == nil) != sound {
				t.Errorf("variant %d, ETag %q: sound %t", i, tag, !sound)
			}
		}
	}
}

// TestWeights: the number of thousandths that a weight is worth.
func TestWeights(t *testing.T) {
	for text, want := range map[string]int{
		"": 1000, ";": 1000, "q=0": 0, "q=1": 1000, "Q=0.5": 500, "q=0.001": 1, "q=0.0009": 0, "q=0.999": 999, "q=0.9999": 999, "q=1.5": 0,
		"q=0.": 0, "q=.5": 0, "q=00": 0, "q=2": 0, "q=-1": 0, "q=0,5": 0, "q=0.5x": 0, "q=0./5": 0, "q=0.:5": 0, "q": 0, "q=": 0, "r=0": 1000, "r=0;q=0.25": 250,
	} {
		if got := weight([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	w := parseAccept([]byte("X-GZIP;q=0.1, x-br;q=0.2, y-zstd;q=0.3, xx, Identity;q=0.4"))
	if got := fmt.Sprint(w.of([]byte("gzip")), w.of([]byte("br")), w.of([]byte("zstd")), w.of(nil), w.of([]byte("deflate"))); got != "100 200 0 400 0" {
		t.Errorf("%s", got)
	}
}
