package accesslog

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/DeRuina/timberjack"

	"github.com/lewistv/xcri-proxy/cmd/internal/flock"
)

// mode is the mode of a new file, as timberjack makes it: it has the addresses of visitors.
const mode = 0o640

// file is a regular file that is rotated. During a hand-over two processes write to it, and
// one of them rotates it. Each write opens the file that is at the path then, appends to
// it, and has the folder locked meanwhile: no line goes to a file that is being rotated,
// or is overwritten. timberjack renames, compresses and removes files, and writes none: it
// would write at its own offset, over the lines of the other process.
//
// A write may wait for the lock, or for the disk, for any time. A hand-over and the end of
// the process, which call share, do not wait for the write.
type file struct {
	opts Options

	mu      sync.Mutex         // is not held while a write waits
	rotator *timberjack.Logger // nil while another process rotates the file
}

func newFile(opts Options) *file {
	f := &file{opts: opts}
	f.share(false)
	return f
}

// share(true) leaves the rotation of the file to another process, and share(false) takes it
// back.
func (f *file) share(shared bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case shared && f.rotator != nil:
		_ = f.rotator.Close() // it has written nothing
		f.rotator = nil
	case !shared && f.rotator == nil:
		f.rotator = &timberjack.Logger{Filename: f.opts.Path, MaxBackups: f.opts.Files, Compression: "gzip"}
	}
}

// Write appends lines to the file that is at the path now.
func (f *file) Write(lines []byte) (int, error) {
	// A file system without locks, such as some network file systems, gets the lines all
	// the same.
	if unlock, err := flock.Lock(filepath.Dir(f.opts.Path)); err == nil {
		defer unlock()
	}
	if err := f.rotate(len(lines)); err != nil {
		return 0, err
	}
	to, err := os.OpenFile(f.opts.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, mode)
	if err != nil {
		return 0, err
	}
	n, err := to.Write(lines)
	return n, errors.Join(err, to.Close())
}

// rotate rotates the file if more bytes do not fit.
func (f *file) rotate(more int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rotator == nil {
		return nil
	}
	info, err := os.Stat(f.opts.Path)
	if err != nil || info.Size() == 0 || info.Size()+int64(more) <= f.opts.Size {
		return nil // no file, or room in it
	}
	return f.rotator.RotateWithReason("size")
}

// device is anything but a regular file, such as a FIFO. To open a FIFO without a reader
// fails immediately, instead of waiting for a reader.
type device struct {
	path string
	open *os.File
}

// Write writes lines to the device, which it opens again after a failure.
func (d *device) Write(lines []byte) (n int, err error) {
	if d.open == nil {
		if d.open, err = os.OpenFile(d.path, os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK, 0); err != nil {
			return 0, err
		}
	}
	if n, err = d.open.Write(lines); err != nil {
		d.open.Close()
		d.open = nil
	}
	return n, err
}
