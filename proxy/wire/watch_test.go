package wire

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/wire/socket"
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

// leaving is a connection whose client leaves at a moment that the test chooses.
type leaving struct {
	net.Conn // of a client that stays
	gone     net.Conn
	left     atomic.Bool
}

func (l *leaving) SyscallConn() (syscall.RawConn, error) {
	if l.left.Load() {
		return l.gone.(syscall.Conn).SyscallConn()
	}
	return l.Conn.(syscall.Conn).SyscallConn()
}

// leavingConn returns a connection of both kinds.
func leavingConn(t *testing.T) *leaving {
	t.Helper()
	_, stays := proxytest.Pair(t)
	client, gone := proxytest.Pair(t)
	client.Close()
	for deadline := time.Now().Add(time.Minute); !socket.HungUp(gone); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the end of a connection does not arrive")
		}
	}
	return &leaving{Conn: stays, gone: gone}
}

// TestWatchInterval: a connection is checked every 250 ms, and its end is reported once,
// and not after the watch was stopped.
func TestWatchInterval(t *testing.T) {
	conn := leavingConn(t)
	inBubble(t, func(t *testing.T) {
		_, ctx := connected(testServer(nil), conn)
		var watched, stopped []time.Duration
		begun := time.Now()
		defer Watch(ctx, func() { watched = append(watched, time.Since(begun)) })()
		stop := Watch(ctx, func() { stopped = append(stopped, time.Since(begun)) })
		time.Sleep(900 * time.Millisecond)
		conn.left.Store(true)
		stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(watched) != 1 || watched[0] != time.Second || len(stopped) != 0 {
			t.Errorf("reported after %v, when stopped %v", watched, stopped)
		}
	})
}

// TestWatchElsewhere: a request that is not on a connection of a Server is not watched.
func TestWatchElsewhere(t *testing.T) {
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, nil, nil)
	Watch(&ctx, func() { t.Error("gone") })()
}
