package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/proxy/wire/stricttest"
)

// script is a connection whose client sends text, after which a Read fails with end. It
// records each write.
type script struct {
	net.Conn
	text   strings.Reader
	end    error
	writes []write
}

type write struct {
	text string
	at   *byte // the memory that was written
}

func scripted(end error, text string) *script {
	return &script{text: *strings.NewReader(text), end: end}
}

func (s *script) Read(b []byte) (int, error) {
	if s.text.Len() == 0 {
		return 0, s.end
	}
	return s.text.Read(b)
}

func (s *script) Write(b []byte) (int, error) {
	w := write{text: string(b)}
	if len(b) > 0 {
		w.at = &b[0]
	}
	s.writes = append(s.writes, w)
	return len(b), nil
}

func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }
func (*script) Close() error                     { return nil }

// answering returns a Server that answers targets below /hit on the fast path and all
// others by the Handler, with one body of size bytes.
func answering(size int) (*Server, *entry.Variant) {
	v := &entry.Variant{Body: []byte(strings.Repeat("x", size))}
	header := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
	return testServer(func(o *Options) {
		o.Answer = func(dst []byte, h *Head) ([]byte, *entry.Variant, bool) {
			return append(dst, header...), v, strings.HasPrefix(string(h.Target), "/hit")
		}
		o.Handler = func(ctx *fasthttp.RequestCtx) { v.Hold(); Send(ctx, v) }
	}), v
}

// TestWritesOfAnAnswer: a small body is sent in one write with its header. A body of 2 KiB
// or more is sent from where it is, without a copy, right behind the header.
func TestWritesOfAnAnswer(t *testing.T) {
	for _, size := range []int{1, 2<<10 - 1, 2 << 10, 100 << 10} {
		for _, target := range []string{"/hit", "/miss"} {
			s, v := answering(size)
			conn := scripted(io.EOF, stricttest.Lines("GET "+target+" HTTP/1.1", "Host: a"))
			s.ServeConn(conn)
			if len(conn.writes) == 0 {
				t.Fatalf("%s of %d bytes: no answer", target, size)
			}
			last := conn.writes[len(conn.writes)-1]
			if size < 2<<10 {
				if answers, rest := answersIn(last.text); len(conn.writes) != 1 || len(answers) != 1 || len(answers[0].body) != size || rest != "" {
					t.Errorf("%s of %d bytes: %d writes, the last of %d bytes", target, size, len(conn.writes), len(last.text))
				}
				continue
			}
			if len(conn.writes) != 2 || !strings.HasSuffix(conn.writes[0].text, "\r\n\r\n") || len(last.text) != size || last.at != &v.Body[0] {
				t.Errorf("%s of %d bytes: %d writes, the last of %d bytes, the body's own memory: %t", target, size, len(conn.writes), len(last.text), last.at == &v.Body[0])
			}
		}
	}
}

// repeating is a connection whose client sends the same request again and again.
type repeating struct {
	net.Conn
	request string
}

func (r *repeating) Read(b []byte) (int, error)     { return copy(b, r.request), nil }
func (*repeating) Write(b []byte) (int, error)      { return len(b), nil }
func (*repeating) SetReadDeadline(time.Time) error  { return nil }
func (*repeating) SetWriteDeadline(time.Time) error { return nil }

// TestFastPathAllocatesNothing: the fast path's answers reuse the memory of their
// connection.
func TestFastPathAllocatesNothing(t *testing.T) {
	for _, size := range []int{1, 2<<10 - 1, 100 << 10} {
		s, _ := answering(size)
		c, _ := connected(s, &repeating{request: stricttest.Lines("GET /hit HTTP/1.1", "Host: a")})
		c.session.open(c.Conn)
		if n := testing.AllocsPerRun(100, func() {
			if !c.next() {
				t.Error("the connection ends")
			}
		}); n != 0 {
			t.Errorf("%d bytes: %v allocations", size, n)
		}
	}
}

// TestFastPathWithoutABody: the fast path may answer with a header alone.
func TestFastPathWithoutABody(t *testing.T) {
	const header = "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"
	s := testServer(func(o *Options) {
		o.Answer = func(dst []byte, _ *Head) ([]byte, *entry.Variant, bool) { return append(dst, header...), nil, true }
	})
	conn := scripted(io.EOF, strings.Repeat(stricttest.Lines("GET /hit HTTP/1.1", "Host: a"), 2))
	s.ServeConn(conn)
	if len(conn.writes) != 2 || conn.writes[0].text != header || conn.writes[1].text != header {
		t.Errorf("%v", conn.writes)
	}
}

// TestHeaderOfTheHandler: the Handler's Server field stays, and an answer without a type
// gets none.
func TestHeaderOfTheHandler(t *testing.T) {
	s := testServer(func(o *Options) {
		o.Handler = func(ctx *fasthttp.RequestCtx) {
			if echo(ctx); string(ctx.Path()) == "/other" {
				ctx.Response.Header.SetServer("another")
			}
		}
	})
	inBubble(t, func(t *testing.T) {
		answers, rest, _ := converse(t, s, stricttest.Lines("GET /other HTTP/1.1", "Host: a")+stricttest.Lines("GET /miss HTTP/1.1", "Host: a"))
		if len(answers) != 2 || rest != "" {
			t.Fatalf("%+v, then %q", answers, rest)
		}
		for i, server := range []string{"another", "test"} {
			if h := answers[i].header; !slices.Equal(h["Server"], []string{server}) || h["Content-Type"] != nil {
				t.Errorf("%v, want the server %q", h, server)
			}
		}
	})
}

// TestReadFails: a request that an error of its connection cuts off gets no answer, which
// would not arrive, and counts as no refusal.
func TestReadFails(t *testing.T) {
	for _, part := range []string{"GET /hit HT", "\r\n", stricttest.Lines("POST /p HTTP/1.1", "Host: a", "Content-Length: 5") + "hel", stricttest.Lines("POST /p HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "5\r\nhel"} {
		s := testServer(func(o *Options) {
			o.Handler = func(*fasthttp.RequestCtx) { t.Errorf("%q was answered", part) }
			o.OnRefuse = func(status int) { t.Errorf("%q was refused with %d", part, status) }
		})
		conn := scripted(errors.New("connection reset"), part)
		if s.ServeConn(conn); len(conn.writes) > 0 {
			t.Errorf("%q: %v", part, conn.writes)
		}
	}
}

// collected fails the test unless freed is closed, as by a clean-up of garbage.
func collected(t *testing.T, freed <-chan struct{}) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		select {
		case <-freed:
			return
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("it is kept")
		}
	}
}

// TestIdleConnectionKeepsNoBody: a connection that waits for its next request keeps no body
// that it has sent in memory.
func TestIdleConnectionKeepsNoBody(t *testing.T) {
	freed := make(chan struct{})
	c, ctx := connected(testServer(nil), scripted(io.EOF, ""))
	func() {
		v := &entry.Variant{Body: make([]byte, 100<<10)}
		runtime.AddCleanup(&v.Body[0], func(freed chan struct{}) { close(freed) }, freed)
		Send(ctx, v)
		if _, err := c.session.body.WriteTo(nil); err != nil {
			t.Error(err)
		}
		c.Conn.(*script).writes = nil
		ctx.Response.Reset()
	}()
	collected(t, freed)
	runtime.KeepAlive(c)
}

// TestBodyIsNotRead: a reader that does not let the body write itself gets an error, not an
// empty body.
func TestBodyIsNotRead(t *testing.T) {
	if n, err := new(body).Read(make([]byte, 1)); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%d, %v", n, err)
	}
}

// TestBuffersKeepNoConnection: buffers that wait for their next use keep no connection in
// memory.
func TestBuffersKeepNoConnection(t *testing.T) {
	var with buffers
	freed := make(chan struct{})
	used := func() []any {
		conn := scripted(io.EOF, strings.Repeat("x", usualHead+1))
		runtime.AddCleanup(conn, func(freed chan struct{}) { close(freed) }, freed)
		in := newInput()
		in.open(conn)
		in.small.Peek(usualHead)
		wide, err := in.widen(&with, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := with.writer(&Conn{Conn: conn})
		with.giveBack(w)
		in.close(&with)
		return []any{&in, wide, w}
	}()
	collected(t, freed)
	runtime.KeepAlive(used)
}
