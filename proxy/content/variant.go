// Package content makes the forms in which a body is kept and sent: plain or in a
// content coding, each with its ETag. It chooses the form for a client.
package content

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/memfile"
)

const (
	// CompressAbove is the largest size of a body that is kept plain. Larger bodies
	// are only kept compressed.
	CompressAbove = 1 << 10
	// LargeBody is the largest size that brotli compresses quickly enough for a
	// visitor who waits.
	LargeBody = 64 << 10
	// FileFrom is the size from which a cached body is kept in a memory file instead of the
	// heap, so that the kernel sends it without a copy. Below that size a copy is as fast.
	FileFrom = 256 << 10
)

// Indexes into an entry's variants. The second exists if the first has no body of its own,
// the third if the body has at most LargeBody bytes or was recoded.
const (
	Identity = 0
	Gzip     = 1
	Small    = 2 // in brotli; in zstd if an earlier version of the program has saved it
)

// Variants returns the forms in which a body is kept: plain if it is small, otherwise
// in the codings that are quick to make. Equal bodies have equal variants.
func Variants(body []byte) []cache.Variant {
	hash := fmt.Sprintf("%016x", xxhash.Sum64(body))
	variant := func(coding, suffix string) cache.Variant {
		return cache.Variant{Coding: coding, ETag: fmt.Appendf(nil, `"%s%s"`, hash, suffix)}
	}
	made := []cache.Variant{variant("", "")}
	if len(body) <= CompressAbove {
		made[Identity].Body = bytes.Clone(body)
		return made
	}
	made = append(made, variant("gzip", "-gzip"))
	made[Gzip].Body = gzipOf(body)
	if len(body) <= LargeBody {
		made = append(made, variant("br", "-br"))
		made[Small].Body = brotliOf(body)
	}
	return made
}

// OfFile returns the forms in which a file of the site is kept: for site.Options.
// Unlike the forms of an answer they are all made immediately. It keeps body.
func OfFile(body []byte, compress bool) []cache.Variant {
	if !compress {
		return []cache.Variant{{Body: body, ETag: fmt.Appendf(nil, `"%016x"`, xxhash.Sum64(body))}}
	}
	made, _ := withBrotli(Variants(body), len(body))
	return made
}

// Recoder returns a function for cache.Options.Recode: it makes the variants of an entry
// that take too long to make in a fill, and returns nil if the entry has them already.
// Large bodies are in memory files: only entries that the cache holds have such bodies, so
// that the cache can close them. The caller holds the entry meanwhile, and releases the
// variants. Brotli is made in a lull.
func Recoder(memory *memfile.Memory, lull *Lull) func(*cache.Entry) []cache.Variant {
	return func(e *cache.Entry) []cache.Variant {
		if lacksBrotli(e.Variants, e.Size) {
			lull.Wait()
		}
		better, brotli := withBrotli(e.Variants, e.Size)
		for i := range better {
			better[i].Hold() // can't fail while the caller holds the entry
		}
		if moved := addFiles(memory, better); !moved && !brotli {
			for i := range better {
				better[i].Release()
			}
			return nil
		}
		return better
	}
}

// Best makes the smallest form of a body, as BestBrotli does. It calls next before the
// work and while the work goes on, and returns nil when next returns false. A result that is
// no form of the body is not used: the work may be done by another process.
type Best func(body []byte, next func() bool) []byte

// Shrinker returns the functions that make the smallest form of a large body: for
// cache.Options.Shrink. Large bodies are in memory files, as a Recoder's. A nil best makes
// the form in this process.
func Shrinker(memory *memfile.Memory, best Best) cache.Shrink {
	if best == nil {
		best = bestBrotliOf
	}
	return cache.Shrink{
		Can: func(e *cache.Entry) bool {
			return e.Size > LargeBody && len(e.Variants) > Small && !bytes.HasSuffix(e.Variants[Small].ETag, bestSuffix)
		},
		Make: func(e *cache.Entry, next func() bool) []cache.Variant {
			body := plain(e.Variants, e.Size)
			if body == nil {
				return nil // not reached
			}
			smallest := best(body, next)
			if smallest == nil || len(smallest) >= e.Variants[Small].Len() || !decodesTo(smallest, body) {
				return nil
			}
			better := slices.Clone(e.Variants)
			better[Small] = cache.Variant{Coding: "br", Body: smallest, ETag: tagOf(e.Variants, bestSuffix)}
			for i := range better {
				better[i].Hold() // can't fail while the caller holds the entry
			}
			addFiles(memory, better)
			return better
		},
	}
}

// Rank returns how complete the forms of a body are, from 0 to 9: the more forms, the
// higher, and highest with the smallest form of a large body.
func Rank(c *cache.Content) int {
	rank := min(len(c.Variants), 7)
	if len(c.Variants) > Small {
		switch v := &c.Variants[Small]; {
		case bytes.HasSuffix(v.ETag, bestSuffix):
			rank += 2
		case v.Coding == "br":
			rank++
		}
	}
	return rank
}

// bestSuffix ends the ETag of the smallest form of a body, whose bytes differ from the
// bytes of the form in brotli that is made first.
var bestSuffix = []byte(`-br11"`)

// tagOf returns the ETag of a body whose form has a suffix.
func tagOf(variants []cache.Variant, suffix []byte) []byte {
	return append(bytes.Clone(bytes.TrimSuffix(variants[Identity].ETag, []byte(`"`))), suffix...)
}

// plain returns the plain body of compressed variants, of size bytes, or nil if their
// entry has left the cache.
func plain(variants []cache.Variant, size int) []byte {
	z, ok := Inflate(&variants[Gzip])
	if !ok {
		return nil
	}
	defer z.Close()
	body := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	if _, err := body.ReadFrom(z); err != nil {
		return nil // not reached: the bytes are our own
	}
	return body.Bytes()
}

// withBrotli returns a copy of variants with brotli, and reports whether brotli is new.
// Brotli replaces zstd: clients that take one take the other, and a further form would need
// a third of the cache's room. The caller holds the variants of a body of size bytes.
func withBrotli(variants []cache.Variant, size int) (better []cache.Variant, added bool) {
	better = slices.Clone(variants)
	if !lacksBrotli(variants, size) {
		return better, false
	}
	body := plain(variants, size)
	if body == nil {
		return better, false // not reached
	}
	small := cache.Variant{Coding: "br", Body: brotliOf(body), ETag: tagOf(variants, []byte(`-br"`))}
	return append(better[:Small], small), true
}

// lacksBrotli reports whether withBrotli adds a form to the variants of a body of size bytes.
func lacksBrotli(variants []cache.Variant, size int) bool {
	return size > LargeBody && (len(variants) <= Small || variants[Small].Coding != "br")
}

// addFiles moves large bodies from the heap to memory files, and reports whether it
// moved any. Without files a body stays where it is.
func addFiles(memory *memfile.Memory, variants []cache.Variant) (moved bool) {
	for i := range variants {
		if v := &variants[i]; len(v.Body) >= FileFrom {
			if file, err := memory.New(v.Body); err == nil {
				v.Body, v.File, moved = nil, file, true
			}
		}
	}
	return moved
}
