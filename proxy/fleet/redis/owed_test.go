package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

const ping, pong = "*1\r\n$4\r\nPING\r\n", "+PONG\r\n"

// awaitOwed waits until a server owes a reply, or owes none.
func awaitOwed(t *testing.T, g *guards, owes bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(patience); g.owed(time.Now()) > 0 != owes; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: the server owes for %s", what, g.owed(time.Now()))
		}
	}
}

// through returns a guarded connection to a server of which the test has the other end.
func through(t *testing.T, open *guards, change func(net.Conn) net.Conn) (client, server net.Conn) {
	t.Helper()
	client, server = proxytest.Pair(t)
	o := valkey.ClientOption{DialCtxFn: func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) { return change(client), nil }}
	e := &Engine{}
	g, err := guarded(o, &e.moved, open)(t.Context(), "", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g, server
}

func plain(c net.Conn) net.Conn { return c }

// TestOwed: a server owes the reply to a command from its write until the first bytes of the
// reply have arrived, although the client does not read them, or until the connection ends.
func TestOwed(t *testing.T) {
	var open guards
	client, server := through(t, &open, plain)
	other, _ := through(t, &open, plain)
	awaitOwed(t, &open, false, "no command")
	io.WriteString(client, ping+ping)
	awaitOwed(t, &open, true, "two commands")
	io.WriteString(server, pong)
	awaitOwed(t, &open, false, "a reply that is not read")
	if _, err := io.ReadFull(client, make([]byte, len(pong))); err != nil {
		t.Fatal(err)
	}
	awaitOwed(t, &open, true, "one reply of two")
	io.WriteString(server, pong)
	if _, err := io.ReadFull(client, make([]byte, len(pong))); err != nil {
		t.Fatal(err)
	}
	awaitOwed(t, &open, false, "both replies")
	io.WriteString(other, ping)
	awaitOwed(t, &open, true, "a command on another connection")
	other.Close()
	awaitOwed(t, &open, false, "the end of that connection")
	io.WriteString(client, "*2\r\n$12\r\nPUNSUBSCRIBE\r\n$1\r\na\r\n")
	awaitOwed(t, &open, false, "a command without a reply")
}

// TestOwedIsOfTheOldest: the oldest command counts, not the last.
func TestOwedIsOfTheOldest(t *testing.T) {
	now := time.Now()
	g := &guard{due: []due{{optional: true, sent: now.Add(-time.Hour)}, {sent: now.Add(-time.Minute)}, {sent: now}}}
	if owed := g.owed(now); owed != time.Minute {
		t.Errorf("%s", owed)
	}
	g.waits = now.Add(-time.Second)
	if owed := g.owed(now); owed != time.Minute {
		t.Errorf("with a later write %s", owed)
	}
	g.waits = now.Add(-time.Hour)
	if owed := g.owed(now); owed != time.Hour {
		t.Errorf("with an earlier write %s", owed)
	}
}

// TestOwedWrite: a server that takes no bytes owes as long as the write lasts.
func TestOwedWrite(t *testing.T) {
	var open guards
	client, _ := through(t, &open, plain)
	written := make(chan error)
	go func() {
		_, err := io.WriteString(client, "*1\r\n$67000000\r\n")
		for err == nil {
			_, err = client.Write(make([]byte, bufferSize))
		}
		written <- err
	}()
	awaitOwed(t, &open, true, "a write")
	client.Close()
	<-written
	awaitOwed(t, &open, false, "the end")
}

// TestOwedConnection: a server owes a connection until it has accepted or refused it.
func TestOwedConnection(t *testing.T) {
	var open guards
	refused := make(chan error)
	o := valkey.ClientOption{DialCtxFn: func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) { return nil, <-refused }}
	done := make(chan error)
	go func() {
		_, err := guarded(o, &(&Engine{}).moved, &open)(t.Context(), "", nil, nil)
		done <- err
	}()
	awaitOwed(t, &open, true, "an attempt to connect")
	refused <- errors.New("refused")
	if err := <-done; err == nil {
		t.Error("connected")
	}
	awaitOwed(t, &open, false, "a refusal")
}

// TestOwedInTLS: bytes that wait below TLS are bytes of the server.
func TestOwedInTLS(t *testing.T) {
	var open guards
	client, server := through(t, &open, func(c net.Conn) net.Conn { return tls.Client(c, &tls.Config{InsecureSkipVerify: true}) })
	g := client.(*guard)
	g.note([]byte(ping))
	g.written()
	awaitOwed(t, &open, true, "a command")
	io.WriteString(server, "a record")
	awaitOwed(t, &open, false, "bytes that are not read")
}
