//go:build !linux

package socket

import (
	"net"

	"github.com/lewistv/xcri-proxy/cache/memfile"
)

type Sender struct{}

func (*Sender) Send(to net.Conn, head []byte, file *memfile.File) (sent int64, err error) {
	return copyTo(to, head, file)
}
