package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// A file is sent behind its head, completely and at the same place of each answer, to a
// socket and to a connection without one. The number of bytes counts both.
func TestSend(t *testing.T) {
	body := bytes.Repeat([]byte("body "), 300_000) // more than a socket's buffer holds
	file, err := new(memfile.Memory).New(body)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no memory files here")
	}
	if err != nil {
		t.Fatal(err)
	}
	client, server := proxytest.Pair(t)
	for _, end := range []net.Conn{client, server} { // so that the socket is often full
		end.(*net.TCPConn).SetReadBuffer(16 << 10)
		end.(*net.TCPConn).SetWriteBuffer(16 << 10)
	}
	pipeClient, pipeServer := net.Pipe()
	for name, ends := range map[string][2]net.Conn{"socket": {client, server}, "pipe": {pipeClient, pipeServer}} {
		var s Sender
		for _, head := range []string{"head", "", "h", strings.Repeat("long ", 20_000)} {
			type result struct {
				sent int64
				err  error
			}
			results := make(chan result)
			go func() {
				sent, err := s.Send(ends[1], []byte(head), file)
				results <- result{sent, err}
			}()
			got := make([]byte, len(head)+len(body))
			if _, err := io.ReadFull(ends[0], got); err != nil || string(got) != head+string(body) {
				t.Errorf("%s, head of %d bytes: other bytes, %v", name, len(head), err)
			}
			if r := <-results; r.err != nil || r.sent != int64(len(got)) {
				t.Errorf("%s: sent %d of %d, %v", name, r.sent, len(got), r.err)
			}
		}
		ends[0].Close()
		if sent, err := s.Send(ends[1], bytes.Repeat([]byte("head "), 1_000_000), file); err == nil {
			t.Errorf("%s: sent %d bytes to a client that has left", name, sent)
		}
	}
}
