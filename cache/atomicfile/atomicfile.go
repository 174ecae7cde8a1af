// Package atomicfile replaces files as a whole: at every moment, also after a crash,
// either the complete old content or the complete new content exists. It replaces only
// regular files, and the target of a symbolic link instead of the link.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrNotRegular is the error of a path that leads to a device, a named pipe, a
// socket or a folder.
var ErrNotRegular = errors.New("it is no regular file")

const (
	// temporary ends the name of a file that is being written.
	temporary = ".xcri-tmp"
	// leftBehind is the age from which a temporary file counts as left by a process that
	// has ended.
	leftBehind = time.Minute
	// mostLinks is the number of symbolic links that may lead to a file, as in Linux.
	mostLinks = 40
)

// Check returns the reason why the file at path can't be replaced, or nil if it can: it is
// a regular file, or absent from a folder that exists.
func Check(path string) error {
	path, err := target(path)
	if err != nil {
		return err
	}
	folder, err := os.Stat(filepath.Dir(path))
	switch {
	case err != nil:
		return fmt.Errorf("no such folder: %w", err)
	case !folder.IsDir():
		return fmt.Errorf("%s is no folder", filepath.Dir(path))
	}
	return nil
}

// Replace replaces the file at path by the output of write, with the given permissions. An
// error of write, or of any step before the rename, leaves the old file unchanged. After an
// error of the last step, which syncs the folder, path has the new content, and a crash may
// bring back the old content.
func Replace(path string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	if path, err = target(path); err != nil {
		return err
	}
	if err := removeLeftBehind(path); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*"+temporary)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err = write(f); err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync() // otherwise the name could reach the disk before the bytes
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// Open opens the regular file at path for reading. Unlike os.Open it never waits for
// the other end of a named pipe.
func Open(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = regular(path, info)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// Read returns the content of the regular file at path. A file of more than limit bytes is
// an error.
func Read(path string, limit int64) ([]byte, error) {
	f, info, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > limit {
		return nil, fmt.Errorf("%s: %d bytes exceed the limit of %d", path, info.Size(), limit)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// target follows symbolic links to the file that they lead to, which need not exist.
func target(path string) (string, error) {
	for range mostLinks {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return path, nil
		case err != nil:
			return "", err
		case info.Mode().Type() != fs.ModeSymlink:
			return path, regular(path, info)
		}
		next, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(filepath.Dir(path), next)
		}
		path = next
	}
	return "", fmt.Errorf("%s: %w", path, syscall.ELOOP)
}

// kinds names the kinds of files that are not regular.
var kinds = []struct {
	mode fs.FileMode
	name string
}{
	{fs.ModeDir, "a folder"}, {fs.ModeNamedPipe, "a named pipe"}, {fs.ModeSocket, "a socket"}, {fs.ModeDevice, "a device"},
}

func regular(path string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	kind := info.Mode().String()
	for _, k := range kinds {
		if info.Mode()&k.mode != 0 {
			kind = k.name
			break
		}
	}
	return fmt.Errorf("%s: %w but %s", path, ErrNotRegular, kind)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// removeLeftBehind removes the temporary files of processes that ended while they
// wrote to path. It keeps young files, which another process may be writing.
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
