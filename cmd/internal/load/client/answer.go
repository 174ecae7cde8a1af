package client

import (
	"bufio"
	"bytes"
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

// Answer holds the used parts of an HTTP answer. It is reused: its contents are valid
// until the next read.
type Answer struct {
	Status  int
	ETag    []byte
	Coding  []byte // Content-Encoding
	Outcome []byte // the detail of Cache-Status
	Bytes   int64  // of the body as transferred
	Body    []byte // if it is kept

	last    bool  // the answer is the last on the connection
	length  int64 // Content-Length; negative means none
	chunked bool
	keep    bool
}

// read reads the answer to a request. head means that no body follows; keep means to
// keep the body.
func (a *Answer) read(from *bufio.Reader, head, keep bool) error {
	for {
		if err := a.readHeader(from); err != nil {
			return err
		}
		if a.Status >= 200 {
			break // statuses below 200 precede the final answer
		}
	}
	a.keep = keep
	var err error
	switch {
	case head || a.Status == 204 || a.Status == 304:
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
		return fmt.Errorf("%w, after %d bytes of its body", errTruncated, a.Bytes)
	}
	return err
}

func (a *Answer) readHeader(from *bufio.Reader) error {
	*a = Answer{ETag: a.ETag[:0], Coding: a.Coding[:0], Outcome: a.Outcome[:0], Body: a.Body[:0], length: -1}
	line, err := readLine(from)
	switch {
	case broken(err) && len(line) == 0:
		return errClosed
	case err != nil:
		return early(err)
	}
	version, rest, _ := bytes.Cut(line, []byte(" "))
	code, _, _ := bytes.Cut(rest, []byte(" "))
	a.Status, err = strconv.Atoi(string(code))
	if err != nil || a.Status < 100 || a.Status > 599 || !bytes.HasPrefix(version, []byte("HTTP/1.")) {
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

// readLine returns a line without its line ending.
func readLine(from *bufio.Reader) ([]byte, error) {
	line, err := from.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return nil, malformed("a line that begins with", line)
	}
	return bytes.TrimRight(line, "\r\n"), err
}

func (a *Answer) header(line []byte) error {
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
		a.ETag = append(a.ETag, value...)
	case is(name, "content-encoding"):
		a.Coding = append(a.Coding, value...)
	case is(name, "cache-status"):
		if _, detail, found := bytes.Cut(value, []byte("detail=")); found {
			detail, _, _ = bytes.Cut(detail, []byte(";"))
			detail, _, _ = bytes.Cut(detail, []byte(","))
			a.Outcome = append(a.Outcome[:0], detail...)
		}
	}
	return nil
}

func is(got []byte, want string) bool {
	return len(got) == len(want) && strings.EqualFold(string(got), want)
}

func (a *Answer) readChunks(from *bufio.Reader) error {
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
func (a *Answer) take(from *bufio.Reader, n int64) error {
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
func (a *Answer) takeAll(from *bufio.Reader) error {
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

func (a *Answer) add(part []byte) error {
	a.Bytes += int64(len(part))
	if !a.keep {
		return nil
	}
	if a.Bytes > maxBody {
		return fmt.Errorf("%w: a body of more than %d bytes", errMalformed, maxBody)
	}
	a.Body = append(a.Body, part...)
	return nil
}
