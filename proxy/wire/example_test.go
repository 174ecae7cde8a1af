package wire_test

import (
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/proxy/wire"
)

// The fast path answers plain requests that it knows. The Handler gets all others.
func Example() {
	server := wire.New(wire.Options{
		Answer: func(dst []byte, h *wire.Head) (header []byte, body *entry.Variant, ok bool) {
			if string(h.Target) != "/known" {
				return nil, nil, false
			}
			return append(dst, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"...), &entry.Variant{Body: []byte("fast")}, true
		},
		Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("slow") },
	})
	client, end := net.Pipe()
	go server.ServeConn(end)
	go io.WriteString(client, "GET /known HTTP/1.1\r\nHost: example.org\r\n\r\n"+
		"GET /other HTTP/1.1\r\nHost: example.org\r\n\r\n"+
		"GET /known HTTP/1.1\r\n\r\n") // without a Host
	answers, err := io.ReadAll(client)
	if err != nil {
		fmt.Println(err)
	}
	for _, answer := range strings.Split(string(answers), "HTTP/1.1 ")[1:] {
		status, _, _ := strings.Cut(answer, "\r\n")
		_, body, _ := strings.Cut(answer, "\r\n\r\n")
		fmt.Println(status, body)
	}
	// Output:
	// 200 OK fast
	// 200 OK slow
	// 400 Bad Request {"detail":"The request must have one field Host with a name or an address"}
}
