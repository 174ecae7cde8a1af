package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/wire/socket"
	"github.com/lewistv/xcri-proxy/proxy/wire/stricttest"
)

// gatedListener accepts nothing until its gate is open. It reports its Close.
type gatedListener struct {
	*net.TCPListener
	gate, closed chan struct{}
}

func (l gatedListener) Accept() (net.Conn, error) {
	<-l.gate
	return l.TCPListener.Accept()
}

func (l gatedListener) Close() error {
	close(l.closed)
	return l.TCPListener.Close()
}

// TestQueueLimit: a drain waits for the listener's queue for a second, while the queue is
// filled and until its own time is over.
func TestQueueLimit(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	waits := func(end time.Duration) (took time.Duration) {
		inBubble(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), end)
			defer cancel()
			c := &conns{listener: ln}
			begun := time.Now()
			c.awaitQueue(ctx)
			took = time.Since(begun)
		})
		return took
	}
	if took := waits(time.Hour); took != 0 {
		t.Errorf("%v for an empty queue", took)
	}
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for deadline := time.Now().Add(time.Minute); !socket.Waiting(ln); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the connection does not arrive")
		}
	}
	for end, want := range map[time.Duration]time.Duration{time.Hour: time.Second, 299500 * time.Microsecond: 300 * time.Millisecond} {
		if took := waits(end); took != want {
			t.Errorf("%v of %v, want %v", took, end, want)
		}
	}
}

// TestDrainServesQueue: a request on a connection that waits to be accepted when a drain
// begins is answered.
func TestDrainServesQueue(t *testing.T) {
	s := testServer(nil)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := gatedListener{tcp.(*net.TCPListener), make(chan struct{}), make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	io.WriteString(client, stricttest.Lines("GET /hit HTTP/1.1", "Host: a"))
	serving := func() bool {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		return s.conns.serving
	}
	for !serving() || !socket.Waiting(ln) {
		time.Sleep(time.Millisecond)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(t.Context()) }()
	select {
	case <-ln.closed:
		t.Error("the listener was closed with a connection in its queue")
	case <-time.After(50 * time.Millisecond):
	}
	close(ln.gate)
	all, err := io.ReadAll(client)
	if answers, rest := answersIn(string(all)); err != nil || len(answers) != 1 || rest != "" {
		t.Errorf("%q, %v", all, err)
	}
	if err := errors.Join(<-stopped, <-served); err != nil {
		t.Error(err)
	}
}
