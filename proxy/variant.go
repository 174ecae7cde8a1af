package proxy

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/memfile"
)

const (
	// compressAbove is the size of a body from which on it is kept compressed,
	// and only compressed.
	compressAbove = 1 << 10
	// largeBody is the size from which on brotli takes too long to let a
	// visitor wait for it.
	largeBody = 64 << 10

	// fileFrom is the size from which a cached body is kept in a memory file instead
	// of the heap, so that the kernel sends it without copying it. Below that size
	// copying is as fast.
	fileFrom = 256 << 10

	// longForBrotli is the length of a text from which on brotli searches it in
	// another way. Source: chooseHasher of the library, size_hint.
	longForBrotli = 1 << 20

	gzipLevel   = 6
	brotliLevel = 5
)

// Indexes into an entry's variants. The second is there if the first has no
// body of its own.
const (
	identity     = 0
	gzipVariant  = 1
	smallVariant = 2
)

var (
	gzipWriters   = sync.Pool{New: func() any { w, _ := gzip.NewWriterLevel(nil, gzipLevel); return w }}
	brotliWriters = sync.Pool{New: newBrotliWriter}
	// longBrotliWriters are for long texts: the first that a brotli writer gets says
	// for good how it searches, and the bytes that an ETag stands for must not depend
	// on what a writer did before.
	longBrotliWriters = sync.Pool{New: newBrotliWriter}
	gzipReaders       = sync.Pool{New: func() any { return new(gzip.Reader) }}
	// zstdWriter makes no goroutines and may be used by many at once.
	zstdWriter, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithWindowSize(1<<20))
)

// resetWriter is a compressor that can be used again.
type resetWriter interface {
	io.WriteCloser
	Reset(io.Writer)
}

func compress(pool *sync.Pool, body []byte) []byte {
	w := pool.Get().(resetWriter)
	defer pool.Put(w)
	out := bytes.NewBuffer(make([]byte, 0, len(body)/6))
	w.Reset(out)
	w.Write(body) // to memory: it can't fail
	w.Close()
	return bytes.Clone(out.Bytes()) // without the room that is left
}

// variants returns the forms in which body is kept: as it is if it is small,
// otherwise compressed in the codings that are quick enough to make at once.
func variants(body []byte) []cache.Variant {
	hash := fmt.Sprintf("%016x", xxhash.Sum64(body))
	variant := func(coding, suffix string) cache.Variant {
		return cache.Variant{Coding: coding, ETag: fmt.Appendf(nil, `"%s%s"`, hash, suffix)}
	}
	made := []cache.Variant{variant("", "")}
	if len(body) <= compressAbove {
		made[identity].Body = bytes.Clone(body)
		return made
	}
	made = append(made, variant("gzip", "-gzip"))
	second, compressSecond := variant("br", "-br"), brotliOf
	if len(body) > largeBody {
		second, compressSecond = variant("zstd", "-zstd"), zstdOf
	}
	var both sync.WaitGroup
	both.Go(func() { second.Body = compressSecond(body) })
	made[gzipVariant].Body = compress(&gzipWriters, body)
	both.Wait()
	return append(made, second)
}

// recode returns the variants that take too long to make in a fill, or nil if the
// entry has them. Its large bodies are in memory files: only entries that the cache
// holds have such bodies, so that the cache can close them. The caller releases the
// variants, and holds the entry meanwhile.
func (p *Proxy) recode(e *cache.Entry) []cache.Variant {
	better := slices.Clone(e.Variants)
	brotli := addBrotli(better, e.Size)
	for i := range better {
		better[i].Hold() // can't fail while the caller holds the entry
	}
	if moved := addFiles(p.opts.Memory, better); !moved && !brotli {
		for i := range better {
			better[i].Release()
		}
		return nil
	}
	return better
}

// addBrotli puts brotli in the place of zstd: a client that takes one takes the
// other, and a third form would take a third of the cache's room. It reports whether
// it did. The caller holds the variants of a body of size bytes.
func addBrotli(variants []cache.Variant, size int) bool {
	if size <= largeBody || variants[smallVariant].Coding == "br" {
		return false
	}
	body := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	z, ok := newInflater(&variants[gzipVariant])
	if !ok {
		return false // not reached
	}
	defer z.Close()
	if _, err := body.ReadFrom(z); err != nil {
		return false // not reached: the bytes are our own
	}
	tag := bytes.TrimSuffix(variants[identity].ETag, []byte(`"`))
	variants[smallVariant] = cache.Variant{
		Coding: "br", Body: brotliOf(body.Bytes()), ETag: append(bytes.Clone(tag), `-br"`...),
	}
	return true
}

// addFiles moves large bodies from the heap to memory files, and reports whether it
// moved any. Without files a body stays where it is.
func addFiles(memory *memfile.Memory, variants []cache.Variant) (moved bool) {
	for i := range variants {
		if v := &variants[i]; len(v.Body) >= fileFrom {
			if file, err := memory.New(v.Body); err == nil {
				v.Body, v.File, moved = nil, file, true
			}
		}
	}
	return moved
}

func newBrotliWriter() any { return brotli.NewWriterLevel(nil, brotliLevel) }

func brotliOf(body []byte) []byte {
	if len(body) >= longForBrotli {
		return compress(&longBrotliWriters, body)
	}
	return compress(&brotliWriters, body)
}

func zstdOf(body []byte) []byte { return bytes.Clone(zstdWriter.EncodeAll(body, nil)) }

// inflater reads a compressed variant's body without holding all of it in memory.
type inflater struct {
	*gzip.Reader
	from *cache.Variant
}

// newInflater holds the variant until Close. It returns false if the variant's entry
// has left the cache.
func newInflater(gzipped *cache.Variant) (z inflater, ok bool) {
	if !gzipped.Hold() {
		return z, false
	}
	z = inflater{gzipReaders.Get().(*gzip.Reader), gzipped}
	if err := z.Reset(gzipped.Reader()); err != nil {
		z.Close()
		panic(fmt.Errorf("a body of our own can't be inflated: %w", err))
	}
	return z, true
}

// Close makes the reader available to another request.
func (z inflater) Close() error {
	gzipReaders.Put(z.Reader)
	z.from.Release()
	return nil
}
