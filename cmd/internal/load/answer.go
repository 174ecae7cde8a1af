package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	// maxHeaders is the maximum number of header lines, and maxBody the maximum size
	// of a body that is kept, in bytes.
	maxHeaders = 200
	maxBody    = 256 << 20
)

// The errors of an answer.
var (
	errClosed    = errors.New("the connection was closed before an answer")
	errTruncated = errors.New("the answer ended early")
	errMalformed = errors.New("not an HTTP answer")
)

func malformed(what string, text []byte) error {
	return fmt.Errorf("%w: %s %.60q", errMalformed, what, text)
}

// answer holds the used parts of an HTTP answer. It is reused: its contents are valid
// until the next read.
type answer struct {
	status  int
	etag    []byte
	coding  []byte // Content-Encoding
	outcome []byte // the detail of Cache-Status
	bytes   int64  // of the body as transferred
	body    []byte // if it is kept
	last    bool   // the answer is the last on the connection
	length  int64  // Content-Length; negative means none
	chunked bool
	keep    bool
}

// read reads the answer to a request. head means that no body follows; keep means to
// keep the body.
func (a *answer) read(from *bufio.Reader, head, keep bool) error {
	for {
		if err := a.readHeader(from); err != nil {
			return err
		}
		if a.status >= 200 {
			break // statuses below 200 precede the final answer
		}
	}
	a.keep = keep
	var err error
	switch {
	case head || a.status == 204 || a.status == 304:
		return nil
	case a.chunked:
		err = a.readChunks(from)
	case a.length >= 0:
		err = a.take(from, a.length)
	default:
		a.last = true
		err = a.takeAll(from)
	}
	if broken(err) {
		return fmt.Errorf("%w, after %d bytes of its body", errTruncated, a.bytes)
	}
	return err
}

// broken reports whether err means that the connection has ended.
func broken(err error) bool {
	return err != nil && !isTimeout(err) && !errors.Is(err, errMalformed)
}

func (a *answer) readHeader(from *bufio.Reader) error {
	*a = answer{etag: a.etag[:0], coding: a.coding[:0], outcome: a.outcome[:0], body: a.body[:0], length: -1}
	line, err := readLine(from)
	switch {
	case broken(err) && len(line) == 0:
		return errClosed
	case err != nil:
		return early(err)
	}
	version, rest, _ := bytes.Cut(line, []byte(" "))
	code, _, _ := bytes.Cut(rest, []byte(" "))
	a.status, err = strconv.Atoi(string(code))
	if err != nil || a.status < 100 || a.status > 599 || !bytes.HasPrefix(version, []byte("HTTP/1.")) {
		return malformed("status line", line)
	}
	a.last = string(version) == "HTTP/1.0"
	for range maxHeaders {
		line, err := readLine(from)
		switch {
		case err != nil:
			return early(err)
		case len(line) == 0:
			return nil
		}
		if err := a.header(line); err != nil {
			return err
		}
	}
	return malformed("more header lines than", []byte(strconv.Itoa(maxHeaders)))
}

// early converts the end of the connection into the error of an incomplete answer.
func early(err error) error {
	if broken(err) {
		return errTruncated
	}
	return err
}

// readLine returns a line without its line ending.
func readLine(from *bufio.Reader) ([]byte, error) {
	line, err := from.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return nil, malformed("a line that begins with", line)
	}
	return bytes.TrimRight(line, "\r\n"), err
}

func (a *answer) header(line []byte) error {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return malformed("header line", line)
	}
	name, value := line[:colon], bytes.TrimSpace(line[colon+1:])
	switch {
	case is(name, "content-length"):
		n, err := strconv.ParseInt(string(value), 10, 63)
		if err != nil || n < 0 || a.length >= 0 && n != a.length {
			return malformed("Content-Length", value)
		}
		a.length = n
	case is(name, "transfer-encoding"):
		if a.chunked = is(value, "chunked"); !a.chunked {
			return malformed("Transfer-Encoding", value)
		}
	case is(name, "connection"):
		a.last = is(value, "close") || a.last && !is(value, "keep-alive")
	case is(name, "etag"):
		a.etag = append(a.etag, value...)
	case is(name, "content-encoding"):
		a.coding = append(a.coding, value...)
	case is(name, "cache-status"):
		if _, detail, found := bytes.Cut(value, []byte("detail=")); found {
			detail, _, _ = bytes.Cut(detail, []byte(";"))
			detail, _, _ = bytes.Cut(detail, []byte(","))
			a.outcome = append(a.outcome[:0], detail...)
		}
	}
	return nil
}

func is(got []byte, want string) bool {
	return len(got) == len(want) && strings.EqualFold(string(got), want)
}

func (a *answer) readChunks(from *bufio.Reader) error {
	for {
		line, err := readLine(from)
		if err != nil {
			return err
		}
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseInt(string(bytes.TrimSpace(digits)), 16, 63)
		if err != nil || size < 0 {
			return malformed("chunk size", line)
		}
		if size == 0 {
			break
		}
		if err := a.take(from, size); err != nil {
			return err
		}
		if line, err = readLine(from); err != nil {
			return err
		} else if len(line) > 0 {
			return malformed("end of a chunk", line)
		}
	}
	for range maxHeaders { // the trailer
		if line, err := readLine(from); err != nil || len(line) == 0 {
			return err
		}
	}
	return malformed("trailer", nil)
}

// take reads n bytes of the body.
func (a *answer) take(from *bufio.Reader, n int64) error {
	for n > 0 {
		part, err := from.Peek(int(min(n, int64(max(1, from.Buffered())))))
		if err != nil {
			return err
		}
		if err := a.add(part); err != nil {
			return err
		}
		n -= int64(len(part))
		from.Discard(len(part))
	}
	return nil
}

// takeAll reads a body that is terminated by the end of the connection.
func (a *answer) takeAll(from *bufio.Reader) error {
	for {
		err := a.take(from, int64(max(1, from.Buffered())))
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (a *answer) add(part []byte) error {
	a.bytes += int64(len(part))
	if !a.keep {
		return nil
	}
	if a.bytes > maxBody {
		return fmt.Errorf("%w: a body of more than %d bytes", errMalformed, maxBody)
	}
	a.body = append(a.body, part...)
	return nil
}
