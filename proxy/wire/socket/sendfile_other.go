//go:build !linux

package socket

import (
	"net"

	"github.com/lewistv/xcri-proxy/cache/memfile"
)

// Sender sends memory files by copying them: this system has no sendfile here.
type Sender struct{}

// Send writes head and then the file, which the caller holds. It returns the number of bytes
// of both that it wrote.
func (*Sender) Send(to net.Conn, head []byte, file *memfile.File) (sent int64, err error) {
	return copyTo(to, head, file)
}
