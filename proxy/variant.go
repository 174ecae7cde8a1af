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
)

const (
	// compressAbove is the size of a body from which on it is kept compressed,
	// and only compressed.
	compressAbove = 1 << 10
	// largeBody is the size from which on brotli takes too long to let a
	// visitor wait for it.
	largeBody = 64 << 10

	// fileFrom is the size of a body from which on it is kept in a file too, to be
	// sent without copying it. It takes its room twice then.
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
	made = append(made, second)
	addFiles(made)
	return made
}

// recode puts brotli, which takes too long to make in a fill, in the place of
// zstd: who takes one takes the other, and a third form would take a third of
// the cache's room.
func recode(e *cache.Entry) []cache.Variant {
	if e.Size <= largeBody || e.Variants[smallVariant].Coding == "br" {
		return nil
	}
	body := bytes.NewBuffer(make([]byte, 0, e.Size+bytes.MinRead))
	z, err := newInflater(e.Variants[gzipVariant].Body)
	if err != nil {
		return nil // not reached: the bytes are our own
	}
	defer z.Close()
	if _, err := body.ReadFrom(z); err != nil {
		return nil // likewise
	}
	better := slices.Clone(e.Variants)
	tag := bytes.TrimSuffix(e.Variants[identity].ETag, []byte(`"`))
	better[smallVariant] = cache.Variant{
		Coding: "br", Body: brotliOf(body.Bytes()), ETag: append(bytes.Clone(tag), `-br"`...),
	}
	addFiles(better)
	return better
}

// addFiles keeps the large bodies among variants in files too.
func addFiles(variants []cache.Variant) {
	for i := range variants {
		if v := &variants[i]; v.File == nil && len(v.Body) >= fileFrom {
			v.File = newFile(v.Body)
		}
	}
}

func newBrotliWriter() any { return brotli.NewWriterLevel(nil, brotliLevel) }

func brotliOf(body []byte) []byte {
	if len(body) >= longForBrotli {
		return compress(&longBrotliWriters, body)
	}
	return compress(&brotliWriters, body)
}

func zstdOf(body []byte) []byte { return bytes.Clone(zstdWriter.EncodeAll(body, nil)) }

// inflater reads a compressed entry's body without holding all of it in memory.
type inflater struct {
	*gzip.Reader
}

func newInflater(gzipped []byte) (inflater, error) {
	z := gzipReaders.Get().(*gzip.Reader)
	return inflater{z}, z.Reset(bytes.NewReader(gzipped))
}

// Close makes the reader available to another request.
func (p inflater) Close() error {
	gzipReaders.Put(p.Reader)
	return nil
}
