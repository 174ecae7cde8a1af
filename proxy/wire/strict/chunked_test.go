package strict

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/lewistv/xcri-proxy/proxy/wire/stricttest"
)

// readAll reads the body behind a head. It returns the body and the bytes after it.
func readAll(head, text string) (body, rest string, err error) {
	var h Head
	if err := h.read(head); err != nil {
		return "", "", err
	}
	from := bufio.NewReaderSize(strings.NewReader(text), MaxHead)
	var all []byte
	err = ReadBody(from, &h, func(b []byte) error { all = append(all, b...); return nil })
	left, _ := io.ReadAll(from)
	return string(all), string(left), err
}

var (
	inChunks = stricttest.Lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
	ofFive   = stricttest.Lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5")
	noBody   = stricttest.Lines("GET / HTTP/1.1", "Host: a")
)

// A body ends where its length or its last chunk says. Extensions and trailers are
// dropped.
func TestReadBody(t *testing.T) {
	most := strings.Repeat("x", MaxBody)
	for name, tt := range map[string]struct{ head, text, body string }{
		"a length":            {ofFive, "hello", "hello"},
		"no body":             {noBody, "", ""},
		"chunks":              {inChunks, "2\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n", "hello"},
		"no chunk":            {inChunks, "0\r\n\r\n", ""},
		"eight digits":        {inChunks, "00000005\r\nhello\r\n0\r\n\r\n", "hello"},
		"all digits":          {inChunks, "aA\r\n" + most[:0xaa] + "\r\nfF\r\n" + most[:0xff] + "\r\n9\r\n" + most[:9] + "\r\n0\r\n\r\n", most[:0xaa+0xff+9]},
		"the most":            {inChunks, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", MaxBody, most), most},
		"the most, in two":    {inChunks, fmt.Sprintf("%x\r\n%s\r\n1\r\nx\r\n0\r\n\r\n", MaxBody-1, most[1:]), most},
		"an extension":        {inChunks, "5;x=\"y\t\xff\"\r\nhello\r\n0;z\r\n\r\n", "hello"},
		"a long extension":    {inChunks, "5;" + strings.Repeat("x", maxChunkLine-4) + "\r\nhello\r\n0\r\n\r\n", "hello"},
		"many extensions":     {inChunks, strings.Repeat("1;"+strings.Repeat("x", 127)+"\r\nh\r\n", maxExtensions/128) + "0\r\n\r\n", strings.Repeat("h", maxExtensions/128)},
		"trailers":            {inChunks, "0\r\nx: y\r\nEmpty:\r\n\r\n", ""},
		"the most trailers":   {inChunks, "0\r\n" + strings.Repeat("x: "+strings.Repeat("y", 125)+"\r\n", maxTrailers/128) + "\r\n", ""},
		"the longest one":     {inChunks, "0\r\nx:" + strings.Repeat("y", maxTrailers-4) + "\r\n\r\n", ""},
		"a chunk like a head": {inChunks, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(noBody), noBody), noBody},
	} {
		for _, rest := range []string{"", "0\r\n\r\n", noBody} {
			if body, left, err := readAll(tt.head, tt.text+rest); body != tt.body || left != rest || err != nil {
				t.Errorf("%s: %d bytes, then %q, %v", name, len(body), left, err)
			}
		}
	}
}

// A body that two recipients could read differently, or that is too large, is refused.
func TestRefusedBodies(t *testing.T) {
	for name, text := range stricttest.RefusedChunks {
		want := errChunk
		if strings.HasPrefix(name, "too large") {
			want = errBodySize
		}
		if _, _, err := readAll(inChunks, text+noBody); err != want {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	for length, want := range map[int]error{MaxBody: nil, MaxBody + 1: errBodySize} {
		head := stricttest.Lines("POST / HTTP/1.1", "Host: a", fmt.Sprint("Content-Length: ", length))
		if _, _, err := readAll(head, strings.Repeat("x", length)); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
	if errChunk.Status != 400 || errBodySize.Status != 413 || errBodySize.Error() != errBodySize.Detail {
		t.Error(errChunk, errBodySize)
	}
}

// A body that ends too early, after any byte, is no body.
func TestCutBodies(t *testing.T) {
	for head, text := range map[string]string{ofFive: "hello", inChunks: "2;x\r\nhe\r\n3\r\nllo\r\n0\r\nx: y\r\n\r\n"} {
		for end := range len(text) {
			if _, _, err := readAll(head, text[:end]); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%q: %v", text[:end], err)
			}
		}
		if _, _, err := readAll(head, text[:1]); head == ofFive && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v", text[:1], err)
		}
	}
}

// The data of a body arrives in pieces of any size, also the buffer's size.
func TestBodyInPieces(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 5000)
	text := fmt.Sprintf("%x\r\n%s\r\n5;%s\r\nhello\r\n0\r\nx: y\r\n\r\n", len(body), body, strings.Repeat("x", 200))
	for _, size := range []int{1, 2, 3, 17, 4096, 1 << 20} {
		var h Head
		if err := h.read(inChunks); err != nil {
			t.Fatal(err)
		}
		from := bufio.NewReaderSize(&pieces{[]byte(text), size}, MaxHead)
		var all []byte
		if err := ReadBody(from, &h, func(b []byte) error { all = append(all, b...); return nil }); err != nil || string(all) != string(body)+"hello" {
			t.Errorf("pieces of %d: %d bytes, %v", size, len(all), err)
		}
	}
}

// pieces is a reader that returns at most size bytes at a time.
type pieces struct {
	text []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.text) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.text[:min(p.size, len(p.text))])
	p.text = p.text[n:]
	return n, nil
}

// An error of the receiver ends the reading.
func TestReceiverFails(t *testing.T) {
	full := errors.New("no room")
	for head, text := range map[string]string{ofFive: "hello", inChunks: "5\r\nhello\r\n0\r\n\r\n"} {
		var h Head
		if err := h.read(head); err != nil {
			t.Fatal(err)
		}
		calls := 0
		err := ReadBody(bufio.NewReaderSize(strings.NewReader(text), MaxHead), &h, func([]byte) error { calls++; return full })
		if err != full || calls != 1 {
			t.Errorf("%v after %d calls", err, calls)
		}
	}
}

// An error of the connection is reported as it is, and the early end of a body is not
// taken for the end of the connection.
func TestConnectionFails(t *testing.T) {
	lost := errors.New("connection lost")
	for give, want := range map[error]error{lost: lost, io.EOF: io.ErrUnexpectedEOF} {
		for head, text := range map[string]string{ofFive: "hel", inChunks: "5\r\nhel"} {
			var h Head
			if err := h.read(head); err != nil {
				t.Fatal(err)
			}
			from := io.MultiReader(strings.NewReader(text), iotest.ErrReader(give))
			if err := ReadBody(bufio.NewReaderSize(from, MaxHead), &h, func([]byte) error { return nil }); err != want {
				t.Errorf("%v becomes %v, want %v", give, err, want)
			}
		}
	}
}
