package oldapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// Fault is a kind of wrong answer.
type Fault int

// The faults.
const (
	None           Fault = iota
	Hang                 // no answer until the client disconnects; holds the worker
	HangInBody           // half of the body, then nothing
	CloseUnread          // the connection is closed instead of an answer
	ResetUnread          // the same with a reset
	ResetInHead          // a reset in the middle of the headers
	ResetInBody          // a reset in the middle of the body
	DieInLength          // closed in the middle of a body with a length
	DieInChunks          // closed in the middle of a chunked body
	DieWithoutMark       // closed in the middle of a body that ends with the connection
	LengthTooLong        // a length greater than the body, and closed
	LengthTooShort       // a length smaller than the body
	TwoLengths           // two lengths that differ
	HugeLength           // a length of 1 GiB, and bytes until the client disconnects
	HugeChunks           // chunks until the client disconnects
	BadStatusLine        // not HTTP
	BadStatus            // a status that is not a number
	BadHeader            // a header without a colon
	HugeHead             // headers until the client disconnects
	BadChunk             // a chunk whose size is not a number
	BrokenGzip           // a truncated compressed body with a matching length
	Interim              // 103 before the correct answer
	Chunked              // the correct answer in chunks
	ErrorJSON            // 500 with a JSON text
	HangUp               // a kept connection is closed just as the next request arrives
	Faults               // number of faults
)

// fault implements a Fault. It returns whether the connection stays usable.
type fault struct {
	name string
	make func(client, response) bool
}

// client is the receiver of an answer.
type client struct {
	net.Conn
	from *bufio.Reader
}

func (f Fault) String() string { return faults[f].name }

var faults = [Faults]fault{
	None: {name: "none"},
	Hang: {"hang", func(c client, _ response) bool { return c.await() }},
	HangInBody: {"hang in body", func(c client, r response) bool {
		return c.send(r.head(), r.half()) && c.await()
	}},
	CloseUnread: {"close unread", func(client, response) bool { return false }},
	ResetUnread: {"reset unread", func(c client, _ response) bool { return c.reset() }},
	ResetInHead: {"reset in head", func(c client, r response) bool {
		return c.send(r.head()[:30]) && c.reset()
	}},
	ResetInBody: {"reset in body", func(c client, r response) bool {
		return c.send(r.head(), r.half()) && c.reset()
	}},
	DieInLength: {"die in length", func(c client, r response) bool { return c.last(r.head(), r.half()) }},
	DieInChunks: {"die in chunks", func(c client, r response) bool {
		return c.last(r.chunked().head(), chunk(r.half()))
	}},
	DieWithoutMark: {"die without mark", func(c client, r response) bool {
		return c.last(r.without("content-length").head(), r.half())
	}},
	LengthTooLong: {"length too long", func(c client, r response) bool {
		return c.last(r.claiming(len(r.body)+7).head(), string(r.body))
	}},
	LengthTooShort: {"length too short", func(c client, r response) bool {
		return c.send(r.claiming(len(r.body)-7).head() + string(r.body))
	}},
	TwoLengths: {"two lengths", func(c client, r response) bool {
		return c.send(r.with("content-length", strconv.Itoa(len(r.body)/2)).head(), string(r.body))
	}},
	HugeLength: {"huge length", func(c client, r response) bool {
		return c.endless(r.claiming(1<<30).head(), strings.Repeat("x", 64<<10))
	}},
	HugeChunks: {"huge chunks", func(c client, r response) bool {
		return c.endless(r.chunked().head(), chunk(strings.Repeat("x", 64<<10)))
	}},
	BadStatusLine: {"bad status line", func(c client, _ response) bool { return c.last("SSH-2.0-OpenSSH\r\n\r\n") }},
	BadStatus:     {"bad status", func(c client, _ response) bool { return c.last("HTTP/1.1 abc OK\r\n\r\n") }},
	BadHeader: {"bad header", func(c client, _ response) bool {
		return c.last("HTTP/1.1 200 OK\r\ncontent-length 5\r\n\r\nhello")
	}},
	HugeHead: {"huge head", func(c client, _ response) bool {
		return c.endless("HTTP/1.1 200 OK\r\n", "x-more: "+strings.Repeat("x", 1000)+"\r\n")
	}},
	BadChunk: {"bad chunk", func(c client, r response) bool {
		return c.last(r.chunked().head(), chunk(r.half()), "zz\r\n")
	}},
	BrokenGzip: {"broken gzip", func(c client, r response) bool {
		whole := compress(r.body)
		r.body = whole[:len(whole)-12]
		r = r.without("content-encoding").with("content-encoding", "gzip").claiming(len(r.body))
		return c.send(r.head(), string(r.body))
	}},
	Interim: {"interim", func(c client, r response) bool {
		return c.send("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", r.head(), string(r.body))
	}},
	Chunked: {"chunked", func(c client, r response) bool {
		return c.send(r.chunked().head(), chunk(r.half()), chunk(string(r.body[len(r.body)/2:])), "0\r\n\r\n")
	}},
	ErrorJSON: {"error json", func(c client, _ response) bool {
		r := detail(http.StatusInternalServerError, "Internal Server Error")
		return c.send(r.claiming(len(r.body)).head(), string(r.body))
	}},
	HangUp: {name: "hang up"}, // see serve
}

func (r response) half() string { return string(r.body[:len(r.body)/2]) }

func (r response) chunked() response {
	return r.without("content-length").with("transfer-encoding", "chunked")
}

func (r response) claiming(length int) response {
	return r.without("content-length").with("content-length", strconv.Itoa(length))
}

func chunk(body string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(body), body) }

// send writes all parts in one write.
func (c client) send(parts ...string) bool {
	_, err := io.WriteString(c, strings.Join(parts, ""))
	return err == nil
}

// last sends the parts and returns false, so that the connection is closed.
func (c client) last(parts ...string) bool {
	c.send(parts...)
	return false
}

// await returns when the client has disconnected.
func (c client) await() bool {
	c.from.Peek(1)
	return false
}

// reset closes the connection with a TCP reset, which is not a regular end.
func (c client) reset() bool {
	c.Conn.(*net.TCPConn).SetLinger(0)
	c.Close()
	return false
}

// endless writes until the client has disconnected, or the server is closed.
func (c client) endless(head, part string) bool {
	for ok := c.send(head); ok; {
		ok = c.send(part)
	}
	return false
}
