// Package snapshot saves the entries of a cache in a file, and loads them for the next
// run. A file is replaced atomically, verified completely before any part of it is
// used, and reserves no more memory than its size accounts for.
package snapshot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/atomicfile"
)

// The errors of a file that Load refuses.
var (
	ErrForeign = errors.New("not a cache file")
	ErrVersion = errors.New("a cache file of another version")
	ErrDamaged = errors.New("a damaged cache file")
)

// A file has a line that names its format, the time of the save, the program that saved
// it, a note, the entries, and the SHA-256 of all bytes before it. Numbers are varints;
// texts and bodies are preceded by their length.
const (
	kind   = "xcri-proxy cache "
	header = kind + "3\n"
	// largest and mostEntries limit the files that Load accepts.
	largest     = 1 << 30
	mostEntries = 1 << 20
	mostForms   = 16
)

// Marks of the records in a file.
const (
	markEnd = iota
	markEntry
)

// File is the content of a file that an earlier run saved.
type File struct {
	By      string    // the program that saved it
	Note    string    // for its next run
	At      time.Time // the time of the save
	Size    int64     // bytes
	Entries []cache.Saved
}

// Save atomically writes exported entries to a file, and releases them. by names the
// program, and note is for its next run: see File. It returns the number of entries
// written. Without a warm set it writes no file and returns zero, so that a better
// file is kept.
func Save(path, by, note string, exported []cache.Saved) (entries int, err error) {
	defer func() {
		for i := range exported {
			exported[i].Release()
		}
	}()
	if len(exported) == 0 || !exported[0].Warm {
		return 0, nil
	}
	if err := atomicfile.Replace(path, 0o600, func(w io.Writer) error { return writeEntries(w, by, note, exported) }); err != nil {
		return 0, fmt.Errorf("save the cache: %w", err)
	}
	return len(exported), nil
}

// Remove removes the file at path. A missing file is no error.
func Remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Load reads a regular file that Save wrote. It leaves out entries beyond room bytes.
// The error is ErrForeign, ErrVersion, ErrDamaged, or an error of package os.
func Load(path string, room int64) (*File, error) {
	f, info, err := atomicfile.Open(path)
	switch {
	case errors.Is(err, atomicfile.ErrNotRegular), errors.Is(err, syscall.ELOOP):
		return nil, fmt.Errorf("%w: %w", ErrForeign, err)
	case err != nil:
		return nil, err
	}
	defer f.Close()
	if info.Size() > largest {
		return nil, fmt.Errorf("%s: %w: its %d bytes are too many", path, ErrForeign, info.Size())
	}
	file, err := read(f, info.Size(), room)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}
