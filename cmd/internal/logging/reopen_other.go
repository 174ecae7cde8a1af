//go:build !linux

package logging

import (
	"errors"
	"os"
)

// File is the regular file that a descriptor writes to.
type File struct{}

// FileOf returns nil: this system does not report the name of an open file.
func FileOf(*os.File, ...*os.File) *File { return nil }

// Reopen returns an error.
func (*File) Reopen() error { return errors.ErrUnsupported }
