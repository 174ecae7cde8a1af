package site

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"
)

var (
	// errFolder means that the site's folder can't be read.
	errFolder = errors.New("no access to the site's folder")
	// errChanging means that a file was written to while it was read.
	errChanging = errors.New("the file is being written")
)

// Open opens a large file. It returns an error if the file has changed since Find.
func (s *Site) Open(file *File) (io.ReadCloser, error) {
	f, info, err := s.open(file.name)
	if err != nil {
		return nil, err
	}
	if !same(info, file.info) {
		return nil, errors.Join(errChanging, f.Close())
	}
	return f, nil
}

// inside calls f with the current folder as an os.Root, which no path can escape.
func (s *Site) inside(f func(*os.Root) error) error {
	root, err := os.OpenRoot(s.opts.Dir)
	if err != nil {
		return fmt.Errorf("%w: %v", errFolder, err) // an error of the folder does not mean that the file is missing
	}
	defer root.Close()
	return f(root)
}

func (s *Site) stat(name string) (info fs.FileInfo, err error) {
	err = s.inside(func(root *os.Root) error {
		if info, err = root.Stat(name); err != nil {
			return err
		}
		return regular(info)
	})
	return info, err
}

// open opens a file for reading. It does not block on a named pipe without a writer.
func (s *Site) open(name string) (f *os.File, info fs.FileInfo, err error) {
	err = s.inside(func(root *os.Root) error {
		if f, err = root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
			return err
		}
		if info, err = f.Stat(); err == nil {
			err = regular(info)
		}
		if err != nil {
			f.Close()
		}
		return err
	})
	return f, info, err
}

func regular(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file: %w", info.Name(), fs.ErrNotExist)
	}
	return nil
}

func same(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// isRecent reports whether a file was written to within the quiet time. A time in the
// future is ignored.
func isRecent(info fs.FileInfo) bool {
	age := time.Since(info.ModTime())
	return age >= 0 && age < quiet
}

// passing are temporary errors, which do not mean that the file is missing.
var passing = []error{errFolder, errChanging, io.EOF, io.ErrUnexpectedEOF,
	syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO, syscall.ESTALE, syscall.ETIMEDOUT}

// missing returns fs.ErrNotExist for an error that means that the file does not exist or
// may not be read. It returns and logs temporary errors, at most one a minute.
func (s *Site) missing(name string, err error) error {
	if !slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) }) {
		return fs.ErrNotExist
	}
	last, now := s.troubled.Load(), s.clock.now()
	if (last == 0 || now-last >= int64(time.Minute)) && s.troubled.CompareAndSwap(last, now) {
		s.opts.Logger.Warn("a file of the site can't be read", "folder", s.opts.Dir, "file", name, "error", err)
	}
	return err
}
