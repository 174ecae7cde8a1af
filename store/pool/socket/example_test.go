package socket_test

import (
	"context"
	"fmt"
	"net"

	"github.com/lewistv/xcri-proxy/store/pool/socket"
)

// The server sends a byte, which stays in the socket until the client reads it.
func Example() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	var below socket.Socket
	client, err := socket.Dial(below.Record(context.Background()), "tcp", l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println(below.Unread())
	server, err := l.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	server.Write([]byte("x"))
	server.Close()
	for !below.Unread() { // until the byte arrives
	}
	fmt.Println(below.Unread())
	// Output:
	// false
	// true
}
