package wire

import (
	"io"
	"net"
	"testing"

	"github.com/valyala/fasthttp"
)

// TestWatch: a handler that waits learns that its client has left, also if the client
// has sent another request before. A client that waits is not taken for gone.
func TestWatch(t *testing.T) {
	for _, sent := range []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"} {
		began, left := make(chan struct{}), make(chan struct{})
		s := New(Options{Handler: func(ctx *fasthttp.RequestCtx) {
			if string(ctx.Path()) != "/" {
				return
			}
			defer Watch(ctx, func() { close(left) })()
			close(began)
			<-left
		}})
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go s.Serve(ln)
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Fatal(err)
		}
		<-began
		conn.Close()
		<-left
		s.Shutdown(t.Context())
	}
}
