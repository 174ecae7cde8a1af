//go:build !linux

package memfile

import (
	"errors"
	"os"
)

func create() (*os.File, error) { return nil, errors.ErrUnsupported }
