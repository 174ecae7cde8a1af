package cache

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// What can be wrong with a file of entries.
var (
	ErrForeignFile = errors.New("not a cache file")
	ErrFileVersion = errors.New("a cache file of another version")
	ErrDamagedFile = errors.New("a damaged cache file")
)

// A file is a line that names its format, when and by which program it was
// written, the entries, and the SHA-256 of all that. Numbers are varints; what
// has a length is preceded by it.
const (
	fileKind   = "xcri-proxy cache "
	fileHeader = fileKind + "1\n"
	// largestFile and mostEntries bound what Load takes on.
	largestFile = 1 << 30
	mostEntries = 1 << 20
	mostForms   = 16
	// Of a file that is being written, and how old it is before it counts as
	// left behind by a process that is gone.
	temporary  = ".cache-tmp"
	leftBehind = time.Minute
)

// Marks of what follows in a file.
const (
	markEnd = iota
	markEntry
)

// replaceFile puts what write writes in the place of a file. At every moment,
// the old file or the new one is there: also after a crash, when it may leave a
// temporary file for a later call to remove.
func replaceFile(path string, write func(io.Writer) error) (err error) {
	if err := removeLeftBehind(path); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*"+temporary) // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err = write(f); err == nil {
		err = f.Sync() // or the name could reach the disk before the bytes
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// removeLeftBehind removes temporary files of processes that ended while they
// wrote to path. A young one may be that of a process that is just stopping.
func removeLeftBehind(path string) error {
	folder := filepath.Dir(path)
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), filepath.Base(path)+".") || !strings.HasSuffix(f.Name(), temporary) {
			continue
		}
		if info, err := f.Info(); err == nil && time.Since(info.ModTime()) > leftBehind {
			os.Remove(filepath.Join(folder, f.Name()))
		}
	}
	return nil
}

// fileWriter writes the parts of a file. The first error is kept for Flush.
type fileWriter struct{ *bufio.Writer }

func (w fileWriter) number(n int64) {
	var space [binary.MaxVarintLen64]byte
	w.Write(binary.AppendVarint(space[:0], n))
}

func (w fileWriter) text(s string) {
	w.number(int64(len(s)))
	w.WriteString(s)
}

// bytes writes nil as a length below zero.
func (w fileWriter) bytes(b []byte) {
	if b == nil {
		w.number(-1)
		return
	}
	w.number(int64(len(b)))
	w.Write(b)
}

// body writes the body of a variant that the caller holds.
func (w fileWriter) body(v Variant) error {
	if v.File == nil {
		w.bytes(v.Body)
		return nil
	}
	w.number(int64(v.Len()))
	_, err := io.CopyN(w, v.Reader(), int64(v.Len()))
	return err
}

func (w fileWriter) flag(b bool) {
	if b {
		w.number(1)
		return
	}
	w.number(0)
}

func writeEntries(out io.Writer, by string, all []Saved) error {
	sum := sha256.New()
	w := fileWriter{bufio.NewWriterSize(io.MultiWriter(out, sum), 64<<10)}
	w.WriteString(fileHeader)
	w.number(time.Now().UnixNano())
	w.text(by)
	for _, s := range all {
		w.number(markEntry)
		if err := w.entry(s); err != nil {
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

func (w fileWriter) entry(s Saved) error {
	w.flag(s.Warm)
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

// Load reads what Save wrote. The file must be one of its own, not a link to
// one. Of the entries it leaves out what goes beyond room bytes. An error says
// what is wrong with the file: ErrForeignFile, ErrFileVersion, ErrDamagedFile,
// or one of package os.
func Load(path string, room int64) (*File, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: %w: no regular file", path, ErrForeignFile)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil { // a save may have put another in its place
		return nil, err
	}
	if info.Size() > largestFile {
		return nil, fmt.Errorf("%s: %w: %d bytes are too many", path, ErrForeignFile, info.Size())
	}
	file, err := readFile(f, info.Size(), room)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// readFile reads a file of size bytes. No length in it can make it reserve more
// than that.
func readFile(in io.Reader, size, room int64) (*File, error) {
	whole := bufio.NewReader(in)
	if err := checkHeader(whole); err != nil {
		return nil, err
	}
	sum, body := sha256.New(), size-sha256.Size
	r := &fileReader{in: bufio.NewReaderSize(io.TeeReader(io.LimitReader(whole, body), sum), 64<<10), left: body - int64(len(fileHeader))}
	r.in.Discard(len(fileHeader))
	file := &File{Size: size, At: time.Unix(0, r.number()), By: r.text()}
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
		return nil, fmt.Errorf("%w: the checksum is wrong", ErrDamagedFile)
	}
	return file, nil
}

// checkHeader tells a file that is cut short in its first line from a foreign
// one, and that from an older or newer format.
func checkHeader(in *bufio.Reader) error {
	first, _ := in.Peek(len(fileHeader))
	switch {
	case string(first) == fileHeader:
		return nil
	case strings.HasPrefix(fileHeader, string(first)):
		return fmt.Errorf("%w: it ends in the first line", ErrDamagedFile)
	case bytes.HasPrefix(first, []byte(fileKind)):
		return ErrFileVersion
	}
	return ErrForeignFile
}

// fileReader reads the parts of a file. After the first error, kept in err, all
// it reads is zero.
type fileReader struct {
	in   *bufio.Reader
	left int64 // bytes before the checksum that have not been read
	err  error
}

func (r *fileReader) fail(why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrDamagedFile, why)
	}
}

// ReadByte is for the varints.
func (r *fileReader) ReadByte() (byte, error) {
	b, err := r.in.ReadByte()
	if err == nil {
		r.left--
	}
	return b, err
}

func (r *fileReader) number() int64 {
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

// count reads a number that is at most most, and not below zero.
func (r *fileReader) count(most int64) int64 {
	n := r.number()
	if n < 0 || n > most {
		r.fail("a number is out of bounds")
		return 0
	}
	return n
}

func (r *fileReader) flag() bool { return r.count(1) == 1 }

func (r *fileReader) bytes() []byte {
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

func (r *fileReader) text() string { return string(r.bytes()) }

func (r *fileReader) entry() Saved {
	s := Saved{Entry: &Entry{}, Warm: r.flag(), Purged: r.flag(), Asked: uint32(r.count(math.MaxUint32))}
	s.Key = r.text()
	s.Status = int(r.count(999))
	s.Size = int(r.count(math.MaxInt32))
	s.Scope, s.Generation = r.text(), r.text()
	s.Filled, s.Took = time.Unix(0, r.number()), time.Duration(r.number())
	for range r.count(mostForms) {
		s.Variants = append(s.Variants, Variant{Coding: r.text(), ETag: r.bytes(), Body: r.bytes()})
	}
	if s.Key == "" || len(s.Variants) == 0 {
		r.fail("an entry without key or body")
	}
	return s
}
