package snapshot

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
)

// writer writes the parts of a file. It keeps the first error for Flush.
type writer struct{ *bufio.Writer }

func (w writer) number(n int64) {
	var space [binary.MaxVarintLen64]byte
	w.Write(binary.AppendVarint(space[:0], n))
}

func (w writer) text(s string) {
	w.number(int64(len(s)))
	w.WriteString(s)
}

// bytes writes a byte slice after its length; nil is written as a negative length.
func (w writer) bytes(b []byte) {
	if b == nil {
		w.number(-1)
		return
	}
	w.number(int64(len(b)))
	w.Write(b)
}

// body writes the body of a variant, which the caller holds.
func (w writer) body(v cache.Variant) error {
	if v.File == nil {
		w.bytes(v.Body)
		return nil
	}
	w.number(int64(v.Len()))
	_, err := io.CopyN(w, v.Reader(), int64(v.Len()))
	return err
}

func (w writer) flag(b bool) {
	if b {
		w.number(1)
		return
	}
	w.number(0)
}

func writeEntries(out io.Writer, by, note string, all []cache.Saved) error {
	sum := sha256.New()
	w := writer{bufio.NewWriterSize(io.MultiWriter(out, sum), 64<<10)}
	w.WriteString(header)
	w.number(time.Now().UnixNano())
	w.text(by)
	w.text(note)
	for i := range all {
		w.number(markEntry)
		if err := w.entry(&all[i]); err != nil {
			return err
		}
	}
	w.number(markEnd)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := out.Write(sum.Sum(nil))
	return err
}

func (w writer) entry(s *cache.Saved) error {
	w.flag(s.Warm)
	w.flag(s.Season)
	w.flag(s.Purged)
	w.number(int64(s.Asked))
	w.text(s.Key)
	w.number(int64(s.Status))
	w.number(int64(s.Size))
	w.text(s.Scope)
	w.text(s.Generation)
	w.number(s.Filled.UnixNano())
	w.number(int64(s.Took))
	w.number(int64(len(s.Variants)))
	for _, v := range s.Variants {
		w.text(v.Coding)
		w.bytes(v.ETag)
		if err := w.body(v); err != nil {
			return err
		}
	}
	return nil
}
