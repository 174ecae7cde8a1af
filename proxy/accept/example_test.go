package accept_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/lewistv/xcri-proxy/proxy/accept"
)

func ExampleNew() {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ln := accept.New(plain, slog.New(slog.DiscardHandler))
	go func() {
		if conn, err := net.Dial("tcp", ln.Addr().String()); err == nil {
			conn.Close()
		}
	}()
	conn, err := ln.Accept()
	fmt.Println(conn != nil, err, ln.Paused())
	ln.Close()
	_, err = ln.Accept()
	fmt.Println(errors.Is(err, net.ErrClosed))
	// Output:
	// true <nil> 0
	// true
}
