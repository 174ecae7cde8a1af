// Package memfile keeps bytes in memory files. Such bytes are outside Go's heap, and
// the kernel sends them to a socket without copying them. The last user closes a file,
// not the garbage collector, which does not account for the file's memory.
package memfile

import (
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
)

// Memory counts the memory files of a process. The zero value is ready to use. It is
// safe for concurrent use.
type Memory struct {
	// Changed is called with the new number of bytes after each change. It is set
	// before the first use, must not block, and may be nil.
	Changed func(bytes int64)

	files, bytes atomic.Int64
}

// Files returns the number of files.
func (m *Memory) Files() int64 { return m.files.Load() }

// Bytes returns the memory that the files use.
func (m *Memory) Bytes() int64 { return m.bytes.Load() }

func (m *Memory) add(files, bytes int64) {
	m.files.Add(files)
	if now := m.bytes.Add(bytes); m.Changed != nil {
		m.Changed(now)
	}
}

// File is a memory file with a fixed content. It is safe for concurrent use by
// callers that hold it.
type File struct {
	open  *open
	size  int
	users atomic.Int64
}

// open is an open file. It is apart from File so that a File that is lost before
// its last Release can be closed.
type open struct {
	memory *Memory
	file   *os.File
	raw    syscall.RawConn
	cost   int64
	once   sync.Once
}

func (o *open) close() {
	o.once.Do(func() {
		o.file.Close() // an error leaves nothing to do
		o.memory.add(-1, -o.cost)
	})
}

// New returns a file that holds a copy of b. The caller is the file's first user.
// The error is errors.ErrUnsupported where there are no memory files.
func (m *Memory) New(b []byte) (*File, error) {
	file, err := create()
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err == nil {
		_, err = file.Write(b)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	o := &open{memory: m, file: file, raw: raw, cost: Cost(len(b))}
	m.add(1, o.cost)
	f := &File{open: o, size: len(b)}
	f.users.Store(1)
	runtime.AddCleanup(f, (*open).close, o)
	return f, nil
}

// Cost returns the memory that a file of size bytes uses: whole pages.
func Cost(size int) int64 {
	page := int64(os.Getpagesize())
	return (int64(size) + page - 1) / page * page
}

// Acquire makes the caller a user of the file, until Release. It returns false if
// the last user has released the file.
func (f *File) Acquire() bool {
	for {
		n := f.users.Load()
		if n == 0 {
			return false
		}
		if f.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release ends a use. The last user's Release closes the file.
func (f *File) Release() {
	switch n := f.users.Add(-1); {
	case n == 0:
		f.open.close()
	case n < 0:
		panic("memfile: released more often than acquired")
	}
}

// Size returns the length of the content, in bytes.
func (f *File) Size() int { return f.size }

// Cost returns the memory that the file uses.
func (f *File) Cost() int64 { return f.open.cost }

// Reader returns a reader of the content. The caller is a user of the file until it
// is done with the reader.
func (f *File) Reader() *io.SectionReader { return io.NewSectionReader(f.open.file, 0, int64(f.size)) }

// Control calls use with the file's descriptor, which stays open meanwhile.
func (f *File) Control(use func(fd uintptr)) error { return f.open.raw.Control(use) }
