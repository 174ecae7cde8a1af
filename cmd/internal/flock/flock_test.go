//go:build unix

package flock

import (
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
)

// TestLock holds that a Lock waits for the end of another.
func TestLock(t *testing.T) {
	folder := t.TempDir()
	var holders atomic.Int32
	turn := func() error {
		unlock, err := Lock(folder)
		if err != nil {
			return err
		}
		if n := holders.Add(1); n != 1 {
			t.Errorf("%d hold the lock", n)
		}
		runtime.Gosched()
		holders.Add(-1)
		return unlock()
	}
	done := make(chan error)
	const lockers = 4
	for range lockers {
		go func() {
			var err error
			for i := 0; i < 200 && err == nil; i++ {
				err = turn()
			}
			done <- err
		}()
	}
	for range lockers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestLockFails holds that a missing folder is reported.
func TestLockFails(t *testing.T) {
	if _, err := Lock(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a folder that does not exist is locked")
	}
}
