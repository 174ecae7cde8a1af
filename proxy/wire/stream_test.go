package wire

import (
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/wire/stricttest"
)

// parts is a body of some parts, each of which takes a time.
type parts struct {
	left   int
	each   time.Duration
	part   strings.Reader // the rest of the present part
	closed bool
}

func (p *parts) Read(b []byte) (int, error) {
	if p.part.Len() == 0 {
		if p.left == 0 {
			return 0, io.EOF
		}
		time.Sleep(p.each)
		p.left--
		p.part.Reset("part " + strconv.Itoa(p.left) + "\n")
	}
	return p.part.Read(b)
}

func (p *parts) Close() error { p.closed = true; return nil }

// TestStream: the client gets each part of a body when it is there, and has the time of an
// answer for each: the body as a whole may take longer. The reader is closed at the end.
func TestStream(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		body := &parts{left: 5, each: DefaultTimeouts.Write - time.Second}
		s := testServer(func(o *Options) {
			o.Handler = func(ctx *fasthttp.RequestCtx) { Stream(ctx, body) }
		})
		request := stricttest.Lines("GET /tail HTTP/1.1", "Host: a", "Connection: close")
		answers, rest, took := converse(t, s, request)
		if len(answers) != 1 || answers[0].body != "part 4\npart 3\npart 2\npart 1\npart 0\n" || rest != "" {
			t.Errorf("%q, then %q", bodies(answers), rest)
		}
		if took < 5*body.each || !body.closed {
			t.Errorf("after %v, closed %t", took, body.closed)
		}
	})
}

// TestStreamElsewhere: without a connection of a Server the parts are the body, too.
func TestStreamElsewhere(t *testing.T) {
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, nil, nil)
	Stream(&ctx, &parts{left: 2})
	if got := string(ctx.Response.Body()); got != "part 1\npart 0\n" || ctx.Response.Header.ContentLength() != -1 || !ctx.Response.ImmediateHeaderFlush {
		t.Errorf("%q, length %d", got, ctx.Response.Header.ContentLength())
	}
}

// TestReports: each answer of the Handler is reported once it was sent, and each refusal
// with its status. Answers of the fast path are not.
func TestReports(t *testing.T) {
	var mu sync.Mutex
	var sent []string
	var refused []int
	s := testServer(func(o *Options) {
		o.Sent = func(ctx *fasthttp.RequestCtx) {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, string(ctx.RequestURI()))
		}
		o.OnRefuse = func(status int) { refused = append(refused, status) }
	})
	inBubble(t, func(t *testing.T) {
		get := func(target string) string { return stricttest.Lines("GET "+target+" HTTP/1.1", "Host: a") }
		answers, rest, _ := converse(t, s, get("/hit")+get("/one")+get("/hit/2")+get("/two")+"GET /three HTTP/9.9\r\n\r\n")
		if got := bodies(answers); len(got) != 5 || rest != "" {
			t.Fatalf("%q, then %q", got, rest)
		}
		if want := []string{"/one", "/two"}; !slices.Equal(sent, want) {
			t.Errorf("sent %q, want %q", sent, want)
		}
		if !slices.Equal(refused, []int{505}) {
			t.Errorf("refused with %v", refused)
		}
	})
}

// TestReportFollowsTheAnswer: a client that does not read delays the report of its answer.
func TestReportFollowsTheAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var reported time.Duration
		begun := time.Now()
		s := testServer(func(o *Options) {
			o.Handler = func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString(strings.Repeat("x", 1<<20)) }
			o.Sent = func(*fasthttp.RequestCtx) { reported = time.Since(begun) }
		})
		client, end := net.Pipe()
		done := make(chan struct{})
		go func() { defer close(done); s.ServeConn(end) }()
		io.WriteString(client, stricttest.Lines("GET /miss HTTP/1.1", "Host: a", "Connection: close"))
		synctest.Wait()
		time.Sleep(time.Minute)
		io.Copy(io.Discard, client)
		<-done
		if reported < time.Minute {
			t.Errorf("after %v", reported)
		}
	})
}
