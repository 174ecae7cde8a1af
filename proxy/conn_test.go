package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// wired returns a client and the server's end of its connection, in a bubble.
func wired(limits timeouts) (client net.Conn, server *conn) {
	client, end := net.Pipe()
	server = (&conns{timeouts: limits}).add(end)
	return client, server
}

// TestTimeouts: a client has so long for each step, however little it sends, and
// the next step begins anew.
func TestTimeouts(t *testing.T) {
	limits := timeouts{read: 10 * time.Second, idle: time.Minute, write: 90 * time.Second}
	byte1 := make([]byte, 1)
	request := func(t *testing.T, client net.Conn, c *conn) { // and its answer
		t.Helper()
		go client.Write(byte1)
		if _, err := c.Read(byte1); err != nil {
			t.Fatal(err)
		}
		go client.Read(byte1)
		if _, err := c.Write(byte1); err != nil {
			t.Fatal(err)
		}
	}
	trickle := func(client net.Conn, every time.Duration) {
		for {
			if _, err := client.Write(byte1); err != nil {
				return
			}
			time.Sleep(every)
		}
	}
	for name, tt := range map[string]struct {
		step          func(t *testing.T, client net.Conn, c *conn) error // until it fails
		least, latest time.Duration
	}{
		"nothing comes": {func(_ *testing.T, _ net.Conn, c *conn) error {
			_, err := c.Read(byte1)
			return err
		}, limits.read, limits.read},
		"a request without end": {func(_ *testing.T, client net.Conn, c *conn) error {
			go trickle(client, 3*time.Second)
			_, err := io.Copy(io.Discard, onlyReader{c})
			return err
		}, limits.read, limits.read},
		"nothing after an answer": {func(t *testing.T, client net.Conn, c *conn) error {
			for range 3 {
				request(t, client, c)
			}
			_, err := c.Read(byte1)
			return err
		}, limits.idle, limits.idle + deadlineSlack},
		"a later request without end": {func(t *testing.T, client net.Conn, c *conn) error {
			request(t, client, c)
			go trickle(client, 3*time.Second)
			_, err := io.Copy(io.Discard, onlyReader{c})
			return err
		}, limits.read, limits.read},
		"an answer that nobody takes": {func(t *testing.T, client net.Conn, c *conn) error {
			request(t, client, c)
			go client.Write(byte1)
			c.Read(byte1)
			_, err := c.Write(byte1)
			return err
		}, limits.write, limits.write + deadlineSlack},
		"an answer taken bit by bit": {func(t *testing.T, client net.Conn, c *conn) error {
			go func() {
				for {
					if _, err := client.Read(byte1); err != nil {
						return
					}
					time.Sleep(3 * time.Second)
				}
			}()
			for {
				if _, err := c.Write(byte1); err != nil {
					return err
				}
			}
		}, limits.write, limits.write + deadlineSlack},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, c := wired(limits)
				defer time.Sleep(time.Minute) // the client notices
				defer client.Close()
				defer c.Close()
				begun := time.Now()
				if err := tt.step(t, client, c); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal(err)
				}
				if took := time.Since(begun); took < tt.least || took > tt.latest {
					t.Errorf("after %v, want %v to %v", took, tt.least, tt.latest)
				}
			})
		})
	}
}

type onlyReader struct{ io.Reader }

// TestDeadlinesRest: as long as requests come, deadlines are moved now and then,
// and an idle client that comes back in time is served.
func TestDeadlinesRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, end := net.Pipe()
		counted := &countedConn{Conn: end}
		c := (&conns{timeouts: clientTimeouts}).add(counted)
		defer client.Close()
		defer c.Close()
		b := make([]byte, 1)
		for range 1000 {
			go client.Write(b)
			if _, err := c.Read(b); err != nil {
				t.Fatal(err)
			}
			go client.Read(b)
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		if most := 2 + 2*int(50*time.Second/deadlineSlack); counted.deadlines > most {
			t.Errorf("%d deadlines in 50 s", counted.deadlines)
		}
		time.Sleep(clientTimeouts.idle - time.Second)
		go client.Write(b)
		if _, err := c.Read(b); err != nil {
			t.Error(err)
		}
	})
}

type countedConn struct {
	net.Conn
	deadlines int
}

func (c *countedConn) SetReadDeadline(t time.Time) error {
	c.deadlines++
	return c.Conn.SetReadDeadline(t)
}

func (c *countedConn) SetWriteDeadline(t time.Time) error {
	c.deadlines++
	return c.Conn.SetWriteDeadline(t)
}

// TestWriteTogether: what is sent is what was written, in this order, whatever was
// expected to follow.
func TestWriteTogether(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789abcdef"), 8<<10)
	for name, parts := range map[string][]int{
		"small":             {100},
		"a buffer":          {writeBuffer},
		"a buffer and more": {writeBuffer, 100_000},
		"three parts":       {writeBuffer, writeBuffer, 100},
		"an error after it": {300, 20},
	} {
		t.Run(name, func(t *testing.T) {
			client, end := joined(t)
			c := (&conns{timeouts: clientTimeouts}).add(end)
			for _, more := range []bool{true, false} {
				c.more = more && len(parts) > 1
				sent := 0
				for _, n := range parts {
					wrote, err := c.Write(text[sent : sent+n])
					if err != nil || wrote != n {
						t.Fatalf("%d of %d, %v", wrote, n, err)
					}
					sent += n
				}
				if c.more || len(c.begun) > 0 {
					t.Error("something waits still")
				}
				got := make([]byte, sent)
				if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, text[:sent]) {
					t.Errorf("not what was written: %v", err)
				}
			}
		})
	}
}

// TestWriteTogetherFails: who has hung up is noticed, and no more is said to be
// sent than was asked for.
func TestWriteTogetherFails(t *testing.T) {
	client, end := joined(t)
	c := (&conns{timeouts: clientTimeouts}).add(end)
	client.Close()
	c.more = true
	if n, err := c.Write(make([]byte, writeBuffer)); n != writeBuffer || err != nil {
		t.Fatal(n, err)
	}
	const rest = 64 << 20 // more than a socket takes
	if n, err := c.Write(make([]byte, rest)); err == nil || n < 0 || n > rest {
		t.Errorf("%d, %v", n, err)
	}
}
