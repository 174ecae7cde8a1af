package proxy

import (
	"bufio"
	"bytes"
	"sync"

	"github.com/valyala/fasthttp"
)

// plainReader reads the header of one request after the other, as the server
// would. It is not safe for concurrent use.
type plainReader struct {
	request  bytes.Reader
	buffered *bufio.Reader
	header   fasthttp.RequestHeader
}

var plainReaders = sync.Pool{New: func() any { return newPlainReader() }}

func newPlainReader() *plainReader {
	return &plainReader{buffered: bufio.NewReaderSize(nil, maxHeaderBytes)}
}

// plainTarget returns the target of what may be a plain request: a GET with
// nothing after its header. Nil means that it is none.
func plainTarget(request []byte) []byte {
	rest, get := bytes.CutPrefix(request, []byte("GET "))
	target, _, found := bytes.Cut(rest, []byte(" "))
	if !get || !found || !bytes.HasSuffix(request, []byte("\r\n\r\n")) || !bytes.HasPrefix(target, []byte("/")) {
		return nil
	}
	return target
}

// read reads the header of a request and reports whether it is plain: a GET of
// HTTP/1.1 that is all there is. It has no body, its connection goes on, it comes
// from no page of another site, and its header decides at most in which form it is
// answered.
func (r *plainReader) read(request []byte) bool {
	r.request.Reset(request)
	r.buffered.Reset(&r.request)
	h := &r.header
	if h.Read(r.buffered) != nil || r.buffered.Buffered() > 0 {
		return false
	}
	for _, other := range [...][]byte{headerOrigin, headerExpect, headerContentLength, headerTransferEncoding} {
		if len(h.PeekCanonical(other)) > 0 {
			return false
		}
	}
	return h.IsGet() && h.IsHTTP11() && !h.ConnectionClose() && isPlainHost(h.Host())
}

// isPlainHost reports whether a Host header is a name or an IPv4 address, with a
// port or without: the server refuses some others.
func isPlainHost(host []byte) bool {
	name, port, found := bytes.Cut(host, []byte(":"))
	for _, c := range name {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '.' && c != '-' {
			return false
		}
	}
	for _, c := range port {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(name) > 0 && found == (len(port) > 0)
}
