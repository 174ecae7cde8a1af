//go:build !linux

package wire

import (
	"net"

	"github.com/lewistv/xcri-proxy/cache/memfile"
)

type sender struct{}

func (*sender) send(to net.Conn, head []byte, file *memfile.File) (sent int64, err error) {
	return copyTo(to, head, file)
}
