package logging

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// File is the regular file that a descriptor writes to, with its path at the start.
type File struct {
	descriptors []*os.File
	path        string
	mode        os.FileMode
}

// FileOf returns the file that first writes to; nil if it is not a regular file.
// Descriptors in others that write to the same file are reopened with it.
func FileOf(first *os.File, others ...*os.File) *File {
	info, err := first.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", first.Fd()))
	if err != nil {
		return nil
	}
	f := &File{[]*os.File{first}, strings.TrimSuffix(path, " (deleted)"), info.Mode().Perm()}
	for _, other := range others {
		if its, err := other.Stat(); err == nil && os.SameFile(info, its) {
			f.descriptors = append(f.descriptors, other)
		}
	}
	return f
}

// Reopen continues in the file that is now at the path, or in a new file: the old file
// may have been renamed.
func (f *File) Reopen() error {
	next, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOCTTY, f.mode)
	if err != nil {
		return err
	}
	defer next.Close()
	for _, d := range f.descriptors {
		if err := unix.Dup3(int(next.Fd()), int(d.Fd()), 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	return nil
}
