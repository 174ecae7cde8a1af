package strict

import (
	"bufio"
	"bytes"
	"io"
)

// Limits of a chunked body, in addition to MaxBody.
const (
	maxChunkLine  = 256     // bytes of a chunk's size and extensions
	maxExtensions = 4 << 10 // bytes of the extensions of all chunks
	maxTrailers   = 4 << 10 // bytes of the fields after the last chunk
)

// chunkReader reads a chunked body.
// Source: RFC 9112, 7.1.
type chunkReader struct {
	from       *bufio.Reader
	extensions int // bytes read
	trailers   int
}

// line returns the next line without its end. It is valid until the next read.
func (r *chunkReader) line(limit int) ([]byte, error) {
	for n := 1; ; n = r.from.Buffered() + 1 {
		if _, err := r.from.Peek(min(n, limit)); err != nil {
			return nil, err
		}
		b, _ := r.from.Peek(min(r.from.Buffered(), limit))
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			if i == 0 || b[i-1] != '\r' {
				return nil, errChunk
			}
			r.from.Discard(i + 1)
			return b[:i-1], nil
		}
		if len(b) == limit {
			return nil, errChunk
		}
	}
}

// next returns the size of the next chunk; zero for the last.
func (r *chunkReader) next() (size int, err error) {
	line, err := r.line(maxChunkLine)
	if err != nil {
		return 0, err
	}
	digits := 0
	for digits < len(line) && digits < 8 {
		value := hexValue(line[digits])
		if value < 0 {
			break
		}
		size = size<<4 | value
		digits++
	}
	extension := line[digits:]
	if digits == 0 || len(extension) > 0 && extension[0] != ';' || hasControl(extension) {
		return 0, errChunk
	}
	if r.extensions += len(extension); r.extensions > maxExtensions {
		return 0, errChunk
	}
	return size, nil
}

// end reads the end of a chunk's data.
func (r *chunkReader) end() error {
	b, err := r.from.Peek(2)
	if err != nil {
		return err
	}
	if string(b) != "\r\n" {
		return errChunk
	}
	_, err = r.from.Discard(2)
	return err
}

// skipTrailers reads, checks and drops the fields after the last chunk.
func (r *chunkReader) skipTrailers() error {
	for {
		line, err := r.line(maxTrailers)
		if err != nil || len(line) == 0 {
			return err
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !all(line[:colon], isToken) || hasControl(line[colon+1:]) {
			return errChunk
		}
		if r.trailers += len(line); r.trailers > maxTrailers {
			return errChunk
		}
	}
}

// ReadBody reads the body that a head announces and passes each piece to add, which
// must not keep it. An error of add stops the reading.
func ReadBody(from *bufio.Reader, h *Head, add func([]byte) error) error {
	if h.length != chunked {
		if h.length > MaxBody {
			return errBodySize
		}
		return readData(from, max(0, h.length), add)
	}
	r := chunkReader{from: from}
	for total := 0; ; {
		size, err := r.next()
		if err != nil {
			return err
		}
		if size == 0 {
			return r.skipTrailers()
		}
		if size > MaxBody-total {
			return errBodySize
		}
		total += size
		if err := readData(from, size, add); err != nil {
			return err
		}
		if err := r.end(); err != nil {
			return err
		}
	}
}

// readData reads size bytes and passes them to add as they arrive.
func readData(from *bufio.Reader, size int, add func([]byte) error) error {
	for size > 0 {
		if _, err := from.Peek(1); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		b, _ := from.Peek(min(size, from.Buffered()))
		if err := add(b); err != nil {
			return err
		}
		size -= len(b)
		from.Discard(len(b))
	}
	return nil
}

// hexValue returns the value of a hexadecimal digit, or -1.
func hexValue(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
