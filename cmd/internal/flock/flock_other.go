//go:build !unix

// Package flock locks folders, so that processes take turns.
package flock

import "errors"

// Lock returns an error.
func Lock(string) (unlock func() error, err error) { return nil, errors.ErrUnsupported }
