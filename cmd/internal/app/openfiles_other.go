//go:build !unix

package app

import "errors"

func raiseOpenFiles() (uint64, error) { return 0, errors.ErrUnsupported }
