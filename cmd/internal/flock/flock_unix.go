//go:build unix

// Package flock locks folders, so that processes take turns.
package flock

import (
	"errors"
	"os"
	"syscall"
)

// Lock locks a folder and waits while another process, or another Lock of this process,
// holds the lock. The lock ends with unlock, or with the process.
func Lock(folder string) (unlock func() error, err error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, &os.PathError{Op: "lock", Path: folder, Err: err}
		}
	}
}
