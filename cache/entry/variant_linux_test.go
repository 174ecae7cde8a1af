package entry

import (
	"io"
	"testing"

	"github.com/lewistv/xcri-proxy/cache/memfile"
)

func newFile(t *testing.T, text string) *memfile.File {
	t.Helper()
	file, err := new(memfile.Memory).New([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// A body in memory and a body in a file are read alike. A file costs whole pages.
func TestVariant(t *testing.T) {
	file := newFile(t, "body")
	for name, tt := range map[string]struct {
		v    Variant
		cost int64
	}{"memory": {Variant{Body: []byte("body")[:4:4]}, 4}, "file": {Variant{File: file}, file.Cost()}} {
		if !tt.v.HasBody() || tt.v.Len() != 4 || tt.v.Cost() != tt.cost {
			t.Errorf("%s: has %t, %d bytes, costs %d", name, tt.v.HasBody(), tt.v.Len(), tt.v.Cost())
		}
		if got, err := io.ReadAll(tt.v.Reader()); string(got) != "body" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if v := (Variant{}); v.HasBody() || v.Len() != 0 || !v.Hold() {
		t.Error("a variant without a body has some")
	}
}

// Content is held with all of its files or not at all.
func TestHold(t *testing.T) {
	first, second := newFile(t, "first"), newFile(t, "second")
	c := Content{Variants: []Variant{{File: first}, {Coding: "gzip", Body: []byte("x")}, {Coding: "br", File: second}}}
	if !c.Hold() {
		t.Fatal("not held")
	}
	first.Release()
	second.Release()
	if !c.Hold() {
		t.Error("its files are closed while it is held")
	}
	c.Release()
	c.Variants[2].Release() // the last use of the second file
	if c.Hold() {
		t.Error("held without its second file")
	}
	c.Variants[0].Release()
	if first.Acquire() {
		t.Error("a Hold that failed has left a file held")
	}
}
