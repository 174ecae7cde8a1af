package snapshot

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// temporary ends the name of a file that is being written.
	temporary = ".cache-tmp"
	// leftBehind is the age from which such a file counts as left behind by a process
	// that has ended.
	leftBehind = time.Minute
)

// replaceFile replaces a file by what write writes. At every moment the old file or the
// new file is there, also after a crash, which may leave a temporary file for a later
// call to remove.
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
