package snapshot

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
)

// read reads a file of size bytes. A length in the file can't make it reserve more
// than size.
func read(in io.Reader, size, room int64) (*File, error) {
	whole := bufio.NewReader(in)
	if err := checkHeader(whole); err != nil {
		return nil, err
	}
	sum, body := sha256.New(), size-sha256.Size
	r := &reader{in: bufio.NewReaderSize(io.TeeReader(io.LimitReader(whole, body), sum), 64<<10), left: body - int64(len(header))}
	r.in.Discard(len(header))
	file := &File{Size: size, At: time.Unix(0, r.number()), By: r.text(), Note: r.text()}
	n := 0
	for ; r.number() == markEntry && r.err == nil; n++ {
		s := r.entry()
		if room -= s.Cost(); room >= 0 {
			file.Entries = append(file.Entries, s)
		}
		if n == mostEntries {
			r.fail("too many entries")
		}
	}
	if r.left != 0 {
		r.fail("bytes after the last entry")
	}
	if r.err != nil {
		return nil, r.err
	}
	var want [sha256.Size]byte
	if _, err := io.ReadFull(whole, want[:]); err != nil || !bytes.Equal(want[:], sum.Sum(nil)) {
		return nil, fmt.Errorf("%w: the checksum is wrong", ErrDamaged)
	}
	return file, nil
}

// checkHeader returns the error for a file that does not begin with the expected
// header: its first line is cut short, its format is older or newer, or it is foreign.
func checkHeader(in *bufio.Reader) error {
	first, _ := in.Peek(len(header))
	switch {
	case string(first) == header:
		return nil
	case strings.HasPrefix(header, string(first)):
		return fmt.Errorf("%w: it ends in the first line", ErrDamaged)
	case bytes.HasPrefix(first, []byte(kind)):
		return ErrVersion
	}
	return ErrForeign
}

// reader reads the parts of a file. After the first error, kept in err, every value
// that it returns is zero.
type reader struct {
	in   *bufio.Reader
	left int64 // bytes before the checksum that have not been read
	err  error
}

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrDamaged, why)
	}
}

// ReadByte makes the reader an io.ByteReader, for varints.
func (r *reader) ReadByte() (byte, error) {
	b, err := r.in.ReadByte()
	if err == nil {
		r.left--
	}
	return b, err
}

func (r *reader) number() int64 {
	if r.err != nil {
		return 0
	}
	n, err := binary.ReadVarint(r)
	if err != nil {
		r.fail("no number where one belongs")
		return 0
	}
	return n
}

// count reads a number from 0 to most.
func (r *reader) count(most int64) int64 {
	n := r.number()
	if n < 0 || n > most {
		r.fail("a number is out of bounds")
		return 0
	}
	return n
}

func (r *reader) flag() bool { return r.count(1) == 1 }

func (r *reader) bytes() []byte {
	n := r.number()
	switch {
	case r.err != nil || n == -1:
		return nil
	case n < 0 || n > r.left:
		r.fail("a length is out of bounds")
		return nil
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r.in, b); err != nil {
		r.fail("it ends early")
		return nil
	}
	r.left -= n
	return b
}

func (r *reader) text() string { return string(r.bytes()) }

func (r *reader) entry() (s cache.Saved) {
	s = cache.Saved{Warm: r.flag(), Season: r.flag(), Purged: r.flag(), Asked: uint32(r.count(math.MaxUint32))}
	s.Key = r.text()
	s.Status = int(r.count(999))
	s.Size = int(r.count(math.MaxInt32))
	s.Scope, s.Generation = r.text(), r.text()
	s.Filled, s.Took = time.Unix(0, r.number()), time.Duration(r.number())
	for range r.count(mostForms) {
		s.Variants = append(s.Variants, cache.Variant{Coding: r.text(), ETag: r.bytes(), Body: r.bytes()})
	}
	if s.Key == "" || len(s.Variants) == 0 {
		r.fail("an entry without key or body")
	}
	return s
}
