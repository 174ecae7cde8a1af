package client

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadAnswer(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name, text string
		head       bool
		status     int
		body       string
		last       bool
		err        error
	}{
		{"length", ok + "Content-Length: 4\r\n\r\nbodyHTTP/1.1", false, 200, "body", false, nil},
		{"no body", ok + "content-length: 0\r\n\r\n", false, 200, "", false, nil},
		{"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, 304, "", false, nil},
		{"head", ok + "Content-Length: 9\r\n\r\n", true, 200, "", false, nil},
		{"chunks", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nbod\r\n1;x=y\r\ny\r\n0\r\nTrailer: x\r\n\r\n", false, 200, "body", false, nil},
		{"close", ok + "Connection: close\r\nContent-Length: 4\r\n\r\nbody", false, 200, "body", true, nil},
		{"until the end", ok + "\r\nbody", false, 200, "body", true, nil},
		{"old", "HTTP/1.0 404 Not Found\nContent-Length: 4\n\nbody", false, 404, "body", true, nil},
		{"old, kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody", false, 200, "body", false, nil},
		{"first a hint", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok + "Content-Length: 4\r\n\r\nbody", false, 200, "body", false, nil},

		{"nothing", "", false, 0, "", false, errClosed},
		{"half a status line", "HTTP/1.1 2", false, 0, "", false, errTruncated},
		{"half a header", ok + "Content-Le", false, 0, "", false, errTruncated},
		{"half a body", ok + "Content-Length: 4\r\n\r\nbo", false, 0, "", false, errTruncated},
		{"half a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nbo", false, 0, "", false, errTruncated},
		{"no last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nbod\r\n", false, 0, "", false, errTruncated},
		{"no end of the trailer", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n", false, 0, "", false, errTruncated},
		{"something else", "SSH-2.0-OpenSSH\r\n", false, 0, "", false, errMalformed},
		{"status of letters", "HTTP/1.1 OK\r\n\r\n", false, 0, "", false, errMalformed},
		{"line without a name", ok + "no name\r\n\r\n", false, 0, "", false, errMalformed},
		{"negative length", ok + "Content-Length: -1\r\n\r\n", false, 0, "", false, errMalformed},
		{"two lengths", ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", false, 0, "", false, errMalformed},
		{"unknown coding", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", false, 0, "", false, errMalformed},
		{"chunk of letters", ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", false, 0, "", false, errMalformed},
		{"chunk without an end", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", false, 0, "", false, errMalformed},
		{"endless line", ok + "X: " + strings.Repeat("x", readSize), false, 0, "", false, errMalformed},
		{"endless header", ok + strings.Repeat("X: y\r\n", maxHeaders+1), false, 0, "", false, errMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, from := range []io.Reader{strings.NewReader(tt.text), iotest.OneByteReader(strings.NewReader(tt.text))} {
				var a Answer
				err := a.read(bufio.NewReaderSize(from, readSize), tt.head, true)
				if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
					t.Fatalf("error %v, want %v", err, tt.err)
				}
				if err == nil && (a.Status != tt.status || string(a.Body) != tt.body || a.Bytes != int64(len(tt.body)) || a.last != tt.last) {
					t.Errorf("got %d %q, %d bytes, last %v", a.Status, a.Body, a.Bytes, a.last)
				}
			}
		})
	}
}

func TestAnswersDoNotMix(t *testing.T) {
	from := bufio.NewReader(strings.NewReader("HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Encoding: br\r\n" +
		"Cache-Status: xcri-proxy; fwd=miss; stored; detail=miss\r\nContent-Length: 4\r\n\r\nbody" +
		"HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx"))
	var a Answer
	if err := a.read(from, false, true); err != nil || string(a.ETag) != `"x"` || string(a.Coding) != "br" || string(a.Outcome) != "miss" {
		t.Fatalf("%v: ETag %s, coding %s, outcome %s", err, a.ETag, a.Coding, a.Outcome)
	}
	if err := a.read(from, false, false); err != nil || len(a.ETag)+len(a.Coding)+len(a.Outcome)+len(a.Body) != 0 || a.Bytes != 1 {
		t.Errorf("%v: of the first answer is left: ETag %s, coding %s, outcome %s, body %s", err, a.ETag, a.Coding, a.Outcome, a.Body)
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", false)
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", false)
	f.Add("HTTP/1.0 200\n\nbody", true)
	f.Fuzz(func(t *testing.T, text string, head bool) {
		var a Answer
		err := a.read(bufio.NewReaderSize(strings.NewReader(text), 4096), head, true)
		switch {
		case err != nil && Kind(err) == "timeout":
			t.Errorf("a timeout without waiting: %v", err)
		case err == nil && (a.Status < 200 || a.Status > 599 || int64(len(a.Body)) != a.Bytes || a.Bytes > int64(len(text))):
			t.Errorf("status %d, %d bytes of %d, %d kept", a.Status, a.Bytes, len(text), len(a.Body))
		case err == nil && !a.chunked && a.length >= 0 && a.Bytes != 0 && a.Bytes != a.length:
			t.Errorf("%d bytes of %d are a whole answer", a.Bytes, a.length)
		}
	})
}
