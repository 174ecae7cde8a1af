package content

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/lewistv/xcri-proxy/cache"
)

const (
	gzipLevel   = 6
	brotliLevel = 5

	// longForBrotli is the length of a text from which on brotli searches it in
	// another way. Source: chooseHasher of the library, size_hint.
	longForBrotli = 1 << 20
)

var (
	gzipWriters   = sync.Pool{New: func() any { w, _ := gzip.NewWriterLevel(nil, gzipLevel); return w }}
	brotliWriters = sync.Pool{New: newBrotliWriter}
	// longBrotliWriters are for long texts: the first text that a brotli writer gets
	// decides for good how it searches, and the bytes behind an ETag must not depend on
	// the earlier work of a writer.
	longBrotliWriters = sync.Pool{New: newBrotliWriter}
	gzipReaders       = sync.Pool{New: func() any { return new(gzip.Reader) }}
	// zstdWriter starts no goroutines and is safe for concurrent use.
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
	return bytes.Clone(out.Bytes()) // without the spare capacity
}

func newBrotliWriter() any { return brotli.NewWriterLevel(nil, brotliLevel) }

func brotliOf(body []byte) []byte {
	if len(body) >= longForBrotli {
		return compress(&longBrotliWriters, body)
	}
	return compress(&brotliWriters, body)
}

func zstdOf(body []byte) []byte { return bytes.Clone(zstdWriter.EncodeAll(body, nil)) }

// inflater reads the body of a gzip variant without holding all of it in memory.
type inflater struct {
	*gzip.Reader
	from *cache.Variant
}

// Inflate returns a reader of the plain body of a gzip variant, and holds the variant
// until the reader is closed. It returns false if the variant's entry has left the
// cache.
func Inflate(gzipped *cache.Variant) (body io.ReadCloser, ok bool) {
	if !gzipped.Hold() {
		return nil, false
	}
	z := inflater{gzipReaders.Get().(*gzip.Reader), gzipped}
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
