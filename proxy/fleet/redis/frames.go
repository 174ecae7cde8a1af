package redis

import (
	"bytes"
	"errors"
	"math"
	"strconv"
)

const (
	// mostBytes limits the memory that a message takes in the client, which reserves it by
	// the lengths in the message. elementBytes is the part of an element without its text.
	mostBytes    = 64 << 20
	elementBytes = 64
	// mostDepth limits the depth of a message, which the client reads recursively.
	mostDepth = 8
	// mostHeader limits the line with a type and a length.
	mostHeader = 32
	// mostWord limits a word that the reader of a message keeps.
	mostWord = 16
)

var (
	errFormat = errors.New("the shared level sends no RESP")
	errSize   = errors.New("the shared level sends too long a message")
)

// frames finds the ends of the messages in a stream in RESP, the protocol of Redis.
// Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
type frames struct {
	// kind is the type of the present message, and words are the begins of its first
	// elements.
	kind  byte
	words [2][]byte
	count int // elements begun, without elements of elements

	open   []int64 // elements left of each open aggregate, the outermost first
	header []byte  // begin of a line with a length
	line   byte    // type of an element that is one line, while it is open
	skip   int64   // bytes left of a text, with its line end
	text   int64   // of them, bytes of the text
	room   int64   // bytes left for the message
}

// next reads to the end of the present message, or to the end of b. It returns the bytes
// that it has read, and whether the message ends there.
func (f *frames) next(b []byte) (n int, ended bool, err error) {
	for n < len(b) {
		switch {
		case f.skip > 0:
			took := min(f.skip, int64(len(b)-n))
			f.keep(b[n : n+int(min(took, f.text))])
			f.text -= min(took, f.text)
			f.skip -= took
			n += int(took)
			ended = f.skip == 0 && f.close()
		case f.line != 0:
			took, done := upToLine(b[n:])
			if f.room -= int64(took); f.room < 0 {
				return n, false, errSize
			}
			f.keep(bytes.TrimRight(b[n:n+took], "\r\n"))
			n += took
			if done {
				f.line = 0
				ended = f.close()
			}
		default:
			if len(f.header) == 0 && isLineType(b[n]) {
				f.begin(b[n])
				f.line = b[n]
				n++
				continue
			}
			took, done := upToLine(b[n:])
			if len(f.header)+took > mostHeader {
				return n, false, errFormat
			}
			f.header = append(f.header, b[n:n+took]...)
			n += took
			if !done {
				continue
			}
			if ended, err = f.element(); err != nil {
				return n, false, err
			}
		}
		if ended {
			return n, true, nil
		}
	}
	return n, false, nil
}

// upToLine returns the number of bytes to the end of the line, or of b.
func upToLine(b []byte) (n int, done bool) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i + 1, true
	}
	return len(b), false
}

// isLineType reports whether an element of a type is a line of any length.
func isLineType(kind byte) bool { return bytes.IndexByte([]byte("+-:,("), kind) >= 0 }

// begin begins an element.
func (f *frames) begin(kind byte) {
	switch len(f.open) {
	case 0:
		f.kind, f.count, f.room = kind, 0, mostBytes
		f.words[0], f.words[1] = f.words[0][:0], f.words[1][:0]
	case 1:
		f.count++
	}
}

// keep keeps the begin of a word.
func (f *frames) keep(text []byte) {
	if i := f.count - 1; len(f.open) == 1 && i < len(f.words) {
		f.words[i] = append(f.words[i], text[:min(len(text), mostWord-len(f.words[i]))]...)
	}
}

// element begins the element of a complete header. It returns whether the message ends
// with it.
func (f *frames) element() (ended bool, err error) {
	header := f.header
	f.header = f.header[:0]
	text, ok := bytes.CutSuffix(header[1:], []byte("\r\n"))
	if !ok {
		return false, errFormat
	}
	kind := header[0]
	f.begin(kind)
	if f.room -= elementBytes; f.room < 0 {
		return false, errSize
	}
	if kind == '_' && len(text) == 0 || kind == '#' && (string(text) == "t" || string(text) == "f") {
		return f.close(), nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	switch null := n == -1 && (kind == '$' || kind == '*'); {
	case err != nil, n < 0 && !null, kind == '>' && len(f.open) > 0:
		return false, errFormat
	case null:
		return f.close(), nil
	}
	switch kind {
	case '$', '!', '=':
		if f.room -= min(n, math.MaxInt32); f.room < 0 {
			return false, errSize
		}
		f.text, f.skip = n, n+int64(len("\r\n"))
		return false, nil
	case '%':
		n *= 2
	case '*', '~', '>':
	default:
		return false, errFormat
	}
	switch {
	case n > f.room/elementBytes || n < 0, len(f.open) == mostDepth:
		return false, errSize
	case n == 0:
		return f.close(), nil
	}
	f.open = append(f.open, n)
	return false, nil
}

// close ends an element, and the aggregates of which it is the last. It returns whether the
// message ends with it.
func (f *frames) close() (ended bool) {
	for len(f.open) > 0 {
		last := len(f.open) - 1
		if f.open[last]--; f.open[last] > 0 {
			return false
		}
		f.open = f.open[:last]
	}
	return true
}
