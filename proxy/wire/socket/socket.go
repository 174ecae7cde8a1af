// Package socket uses a connection's socket in ways that package net lacks: it sends memory
// files without copying them, limits the bytes that wait in the kernel, reads the time of
// the last data, and detects that the client has closed the connection. On systems other
// than Linux, and for connections without a socket, it copies the files and does none of
// the rest.
package socket

import (
	"io"
	"net"
	"time"

	"github.com/lewistv/xcri-proxy/cache/memfile"
)

// QuietFor returns for how long nothing has arrived on a connection: since it was
// opened where the kernel does not report it.
func QuietFor(conn net.Conn, opened time.Time) time.Duration {
	if unix, ok := conn.(*unixConn); ok {
		return unix.quiet()
	}
	if quiet, known := sinceLastData(conn); known {
		return quiet
	}
	return time.Since(opened)
}

// copyTo writes head and then the file, which the caller holds.
func copyTo(to io.Writer, head []byte, file *memfile.File) (sent int64, err error) {
	n, err := to.Write(head)
	if err != nil {
		return int64(n), err
	}
	m, err := io.Copy(to, file.Reader())
	return int64(n) + m, err
}
