//go:build !unix

package port

import "net"

// held listens on a port that another program may get once the listener is closed.
func held() (ln net.Listener, release func(), err error) {
	ln, err = net.Listen("tcp4", "127.0.0.1:0")
	return ln, func() {}, err
}
