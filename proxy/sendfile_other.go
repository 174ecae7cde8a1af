//go:build !linux

package proxy

import "os"

// newFile returns nil: what is sent is always copied.
func newFile([]byte) *os.File { return nil }

type sender struct{}

func (*sender) send(any, []byte, *os.File, int64) (sent int64, ok bool, err error) {
	return 0, false, nil
}
