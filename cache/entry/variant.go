package entry

import (
	"bytes"
	"io"

	"github.com/lewistv/xcri-proxy/cache/memfile"
)

// Variant is a body in one content coding. The body is in Body or in File, or in
// neither if it is made from another variant. Its methods are safe for concurrent use.
type Variant struct {
	Coding string // gzip, br, zstd; empty for none
	ETag   []byte // strong, with quotes; must not be changed
	Body   []byte // must not be changed
	// File is closed once the entry has left the cache: a caller holds the variant
	// while it uses the file.
	File *memfile.File
}

// HasBody reports whether the variant has a body of its own.
func (v *Variant) HasBody() bool { return v.Body != nil || v.File != nil }

// Len returns the length of the body, in bytes.
func (v *Variant) Len() int {
	if v.File != nil {
		return v.File.Size()
	}
	return len(v.Body)
}

// Hold keeps the body readable until Release. It returns false if the entry has left
// the cache and its body is gone: the caller repeats the lookup.
func (v *Variant) Hold() bool { return v.File == nil || v.File.Acquire() }

// Release undoes a successful Hold.
func (v *Variant) Release() {
	if v.File != nil {
		v.File.Release()
	}
}

// Reader returns a reader of the body. The caller holds the variant.
func (v *Variant) Reader() interface {
	io.Reader
	io.ReaderAt
} {
	if v.File != nil {
		return v.File.Reader()
	}
	return bytes.NewReader(v.Body)
}

// Cost returns the body's size in the budget, in bytes.
func (v *Variant) Cost() int64 {
	cost := int64(cap(v.Body) + len(v.ETag))
	if v.File != nil {
		cost += v.File.Cost()
	}
	return cost
}
