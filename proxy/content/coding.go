package content

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/andybalholm/brotli/flate"
	"github.com/andybalholm/brotli/matchfinder"
	"github.com/klauspost/compress/gzip"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/content/repeats"
)

const (
	// Bodies are smaller at this level than at level 6 of zlib, which most servers use.
	gzipLevel = 4
	// gzipBlock is the size of the blocks that are compressed.
	gzipBlock   = 320 << 10
	brotliLevel = 5
	// modified and modifiedEnd are the place of the time in the header of a gzip body.
	modified, modifiedEnd = 4, 8

	// bestLevel and bestWindow (of 1 MiB) make the smallest bodies. A larger window
	// takes twice the memory, and saves a thousandth of a list.
	bestLevel, bestWindow = 11, 20
	// bestPiece is the part of a body that is compressed at the best level between two
	// checks of the processor's other work, in bytes.
	bestPiece = 64 << 10
)

var (
	// gzipWriters are of the library that makes brotli: for JSON it makes smaller bodies
	// in less time than others.
	gzipWriters = sync.Pool{New: func() any {
		w := flate.NewGZIPWriter(nil, gzipLevel)
		w.BlockSize = gzipBlock
		return w
	}}
	// rowsWriters make gzip of lists in less time than the library's own match finders.
	rowsWriters = sync.Pool{New: func() any {
		return &matchfinder.Writer{MatchFinder: repeats.New(), Encoder: flate.NewGZIPEncoder(), BlockSize: gzipBlock}
	}}
	// brotliWriters are of the library's newer kind: at this level it makes smaller
	// bodies in less time, and the same bytes again after any other body.
	brotliWriters = sync.Pool{New: func() any { return brotli.NewWriterV2(nil, brotliLevel) }}
	gzipReaders   = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

// compress compresses a body block by block: a writer in the pool keeps the memory of the
// longest text that it was given.
func compress(pool *sync.Pool, body []byte) []byte {
	w := pool.Get().(*matchfinder.Writer)
	defer pool.Put(w)
	out := bytes.NewBuffer(make([]byte, 0, len(body)/6))
	w.Reset(out)
	for block := range slices.Chunk(body, w.BlockSize) {
		w.Write(block) // to memory: it can't fail
	}
	w.Close()
	return bytes.Clone(out.Bytes()) // without the spare capacity
}

// gzipOf makes the same bytes at any time: it removes the time from the header.
func gzipOf(body []byte) []byte {
	pool := &gzipWriters
	if len(body) >= repeats.Least && isJSON(body) && hasLongValues(body) {
		pool = &rowsWriters
	}
	made := compress(pool, body)
	clear(made[modified:modifiedEnd])
	return made
}

// hasLongValues reports whether rowsWriters make a body smaller than zlib at level 6 does.
func hasLongValues(body []byte) bool {
	w := rowsWriters.Get().(*matchfinder.Writer)
	defer rowsWriters.Put(w)
	return w.MatchFinder.(*repeats.Finder).Suits(body)
}

// isJSON reports whether a body begins as the lists of the API do.
func isJSON(body []byte) bool { return body[0] == '{' || body[0] == '[' }

func brotliOf(body []byte) []byte { return compress(&brotliWriters, body) }

// BestBrotli makes the smallest form of a body, which takes seconds of a core and, in a
// process of its own, 67 MB for 3.5 MB. It may be called concurrently.
func BestBrotli(body []byte) []byte { return bestBrotliOf(body, func() bool { return true }) }

// bestBrotliOf makes the smallest form of a body, which takes seconds. It calls next
// before each piece, and returns nil when next returns false.
func bestBrotliOf(body []byte, next func() bool) []byte {
	out := bytes.NewBuffer(make([]byte, 0, len(body)/8))
	w := brotli.NewWriterOptions(out, brotli.WriterOptions{Quality: bestLevel, LGWin: bestWindow})
	for len(body) > 0 {
		if !next() {
			return nil
		}
		n := min(len(body), bestPiece)
		w.Write(body[:n]) // to memory: it can't fail
		body = body[n:]
	}
	w.Close()
	return bytes.Clone(out.Bytes())
}

// decodesTo reports whether the first of two texts is the second in brotli.
func decodesTo(small, body []byte) bool {
	r := brotli.NewReader(bytes.NewReader(small))
	part := make([]byte, 32<<10)
	for {
		n, err := r.Read(part)
		if !bytes.HasPrefix(body, part[:n]) {
			return false
		}
		body = body[n:]
		if err != nil {
			return err == io.EOF && len(body) == 0
		}
	}
}

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
