package accesslog

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"github.com/DeRuina/timberjack"
)

// mode is the mode of a new file, as timberjack makes it: it has the addresses of visitors.
const mode = 0o640

// file is a regular file that is rotated. It is opened at the first line, and again after
// a failure.
type file struct {
	opts Options

	mu      sync.Mutex
	rotated *timberjack.Logger // nil while another process rotates the file
}

func newFile(opts Options) *file {
	f := &file{opts: opts}
	f.share(false)
	return f
}

// share has another process rotate the file, or takes that back.
func (f *file) share(shared bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case shared && f.rotated != nil:
		_ = f.rotated.Close() // the lines are written already
		f.rotated = nil
	case !shared && f.rotated == nil:
		f.rotated = &timberjack.Logger{
			Filename: f.opts.Path, MaxSize: int(max(1, f.opts.Size>>20)), MaxBackups: f.opts.Files, Compression: "gzip",
		}
	}
}

// Write appends lines to the file that is at the path now.
func (f *file) Write(lines []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rotated != nil {
		return f.rotated.Write(lines)
	}
	to, err := os.OpenFile(f.opts.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, mode)
	if err != nil {
		return 0, err
	}
	n, err := to.Write(lines)
	return n, errors.Join(err, to.Close())
}

// device is anything but a regular file, such as a FIFO. A FIFO without a reader can't be
// opened, and that fails immediately instead of waiting for one.
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
