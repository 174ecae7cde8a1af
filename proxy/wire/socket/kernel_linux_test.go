package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// bare is a connection without a socket, and broken is a connection whose socket is gone.
type bare struct{ net.Conn }

type broken struct{ net.Conn }

var errGone = errors.New("the socket is gone")

func (broken) SyscallConn() (syscall.RawConn, error) { return nil, errGone }

// A connection without a socket is never taken for gone, and its quiet time counts from
// its opening. The same holds for a closed connection.
func TestWithoutASocket(t *testing.T) {
	_, server := proxytest.Pair(t)
	server.Close()
	long := time.Now().Add(-time.Hour)
	for name, conn := range map[string]net.Conn{"no socket": bare{}, "a socket that is gone": broken{}, "a closed connection": server} {
		if HungUp(conn) {
			t.Errorf("%s: gone", name)
		}
		if quiet, known := sinceLastData(conn); known || quiet != 0 {
			t.Errorf("%s: quiet for %v", name, quiet)
		}
		if QuietFor(conn, long) < time.Hour {
			t.Errorf("%s: quiet for %v", name, QuietFor(conn, long))
		}
		LimitUnsent(conn)
	}
}

// The kernel's limit of unsent bytes is set on a TCP connection.
func TestLimitUnsent(t *testing.T) {
	_, server := proxytest.Pair(t)
	limit := func() (n int) {
		raw, err := server.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		err = raw.Control(func(fd uintptr) { n, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT) })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := limit()
	if LimitUnsent(server); limit() != mostUnsent || before == mostUnsent {
		t.Errorf("%d, was %d", limit(), before)
	}
}

// A file that is shorter than it should be ends the answer with an error, also behind a
// head, and so does a socket that is gone. The bytes that were sent are counted.
func TestSendFails(t *testing.T) {
	file, err := new(memfile.Memory).New(make([]byte, 1000))
	if err != nil {
		t.Fatal(err)
	}
	if sent, err := new(Sender).Send(broken{}, []byte("head"), file); sent != 0 || err != errGone {
		t.Errorf("%d, %v", sent, err)
	}
	var cut error
	if err := file.Control(func(fd uintptr) { cut = syscall.Ftruncate(int(fd), 400) }); err != nil || cut != nil {
		t.Fatal(err, cut)
	}
	client, server := proxytest.Pair(t)
	go io.Copy(io.Discard, client)
	var s Sender
	for _, head := range []string{"", "head"} {
		if sent, err := s.Send(server, []byte(head), file); sent != int64(len(head)+400) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes, %v", sent, err)
		}
	}
	server.SetWriteDeadline(time.Now().Add(-time.Second))
	if sent, err := s.Send(server, []byte("head"), file); sent != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes, %v", sent, err)
	}
	if s.head != nil || s.file != nil {
		t.Error("the file is kept after it was sent")
	}
}

// Copies count the bytes of head and file, and end with the first error.
func TestCopyFails(t *testing.T) {
	file, err := new(memfile.Memory).New([]byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 2, 4, 6, 8} {
		if sent, err := copyTo(&limited{room: room}, []byte("head"), file); sent != int64(room) || (err == nil) != (room == 8) {
			t.Errorf("room for %d: %d, %v", room, sent, err)
		}
	}
}

// The file is not sent behind a head that could not be sent.
func TestCopyWithoutHead(t *testing.T) {
	file, err := new(memfile.Memory).New([]byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	to := &failing{failures: 1}
	if sent, err := copyTo(to, []byte("head"), file); sent != 0 || err != errGone || to.Len() > 0 {
		t.Errorf("%d, %v, then %q", sent, err, to)
	}
}

// failing refuses the first writes.
type failing struct {
	failures int
	bytes.Buffer
}

func (f *failing) Write(b []byte) (int, error) {
	if f.failures--; f.failures >= 0 {
		return 0, errGone
	}
	return f.Buffer.Write(b)
}

// No connection waits at a listener without a socket, or whose socket is gone.
func TestWaitingWithoutASocket(t *testing.T) {
	for name, ln := range map[string]net.Listener{"no socket": struct{ net.Listener }{}, "a socket that is gone": brokenListener{}} {
		if Waiting(ln) {
			t.Errorf("%s: a connection waits", name)
		}
	}
}

type brokenListener struct{ net.Listener }

func (brokenListener) SyscallConn() (syscall.RawConn, error) { return nil, errGone }

// limited takes a number of bytes and refuses the rest.
type limited struct{ room int }

func (l *limited) Write(b []byte) (int, error) {
	n := min(len(b), l.room)
	if l.room -= n; n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// A Unix socket hands on the data that it reads. Only data counts as heard, not its end.
func TestUnixConnReads(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	ends := make([]net.Conn, 2)
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "end")
		if ends[i], err = net.FileConn(file); err != nil {
			t.Fatal(err)
		}
		file.Close()
		defer ends[i].Close()
	}
	conn := Follow(ends[1]).(*unixConn)
	conn.opened = time.Now().Add(-time.Hour)
	io.WriteString(ends[0], "data")
	got := make([]byte, 10)
	if n, err := conn.Read(got); string(got[:n]) != "data" || err != nil || conn.quiet() > 30*time.Minute {
		t.Errorf("%q, %v, quiet for %v", got[:n], err, conn.quiet())
	}
	conn.heard.Store(0)
	ends[0].Close()
	if n, err := conn.Read(got); n != 0 || err != io.EOF || conn.quiet() < time.Hour {
		t.Errorf("%d, %v, quiet for %v", n, err, conn.quiet())
	}
}
