package wire

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/wire/stricttest"
)

// trickle writes a byte of text every 3 s until the server stops reading.
func trickle(client net.Conn, text string) {
	for i := range text {
		if _, err := io.WriteString(client, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(3 * time.Second)
	}
}

// TestTimeouts: a client has a fixed time for each step, however little it sends or
// reads, and each step starts a new deadline.
func TestTimeouts(t *testing.T) {
	limits := DefaultTimeouts
	hit, miss := stricttest.Lines("GET /hit HTTP/1.1", "Host: a"), stricttest.Lines("GET /miss HTTP/1.1", "Host: a")
	post := stricttest.Lines("POST /p HTTP/1.1", "Host: a", "Content-Length: 90000")
	long := strings.Repeat("x", 1000)
	drain := func(client net.Conn) { go io.Copy(io.Discard, client) }
	for name, tt := range map[string]struct {
		client        func(net.Conn)
		least, latest time.Duration
	}{
		"nothing":                             {drain, limits.Read, limits.Read},
		"a head without end":                  {func(c net.Conn) { drain(c); trickle(c, long) }, limits.Read, limits.Read},
		"a head without end that begins late": {func(c net.Conn) { drain(c); time.Sleep(limits.Read - 4*time.Second); trickle(c, long) }, limits.Read, limits.Read},
		"a body without end": {func(c net.Conn) {
			drain(c)
			io.WriteString(c, stricttest.Lines("POST /p HTTP/1.1", "Host: a", "Content-Length: 900"))
			trickle(c, long)
		}, limits.Read, limits.Read},
		"a body without end after a miss": {func(c net.Conn) {
			drain(c)
			io.WriteString(c, miss)
			io.WriteString(c, stricttest.Lines("POST /p HTTP/1.1", "Host: a", "Content-Length: 900"))
			trickle(c, long)
		}, limits.Read, limits.Read},
		"a body that is too long":         {func(c net.Conn) { drain(c); io.WriteString(c, post) }, 0, 0},
		"nothing after a hit":             {func(c net.Conn) { drain(c); io.WriteString(c, hit) }, limits.Idle, limits.Idle + limits.Slack},
		"nothing after hits":              {func(c net.Conn) { drain(c); io.WriteString(c, hit+hit+hit) }, limits.Idle, limits.Idle + limits.Slack},
		"nothing after a miss":            {func(c net.Conn) { drain(c); io.WriteString(c, miss) }, limits.Idle, limits.Idle + limits.Slack},
		"a head without end after a hit":  {func(c net.Conn) { drain(c); io.WriteString(c, hit); trickle(c, long) }, limits.Read, limits.Read},
		"a head without end after a miss": {func(c net.Conn) { drain(c); io.WriteString(c, miss); trickle(c, long) }, limits.Read, limits.Read},
		"a head without end, late": {func(c net.Conn) {
			drain(c)
			io.WriteString(c, miss)
			time.Sleep(limits.Idle - time.Second)
			trickle(c, long)
		}, limits.Idle - time.Second + limits.Read, limits.Idle - time.Second + limits.Read},
		"a hit that no client reads":  {func(c net.Conn) { io.WriteString(c, hit) }, limits.Write, limits.Write + limits.Slack},
		"a miss that no client reads": {func(c net.Conn) { io.WriteString(c, miss) }, limits.Write, limits.Write + limits.Slack},
		"a hit that is read slowly":   {func(c net.Conn) { io.WriteString(c, hit); readSlowly(c) }, limits.Write, limits.Write + limits.Slack},
		"a large body, read slowly": {func(c net.Conn) {
			io.WriteString(c, stricttest.Lines("GET /hit/large HTTP/1.1", "Host: a"))
			readSlowly(c)
		}, limits.Write, limits.Write + limits.Slack},
		"a large miss, read slowly": {func(c net.Conn) { io.WriteString(c, stricttest.Lines("GET /large HTTP/1.1", "Host: a")); readSlowly(c) }, limits.Write, limits.Write + limits.Slack},
		"an answer of several writes, read slowly": {func(c net.Conn) {
			io.WriteString(c, stricttest.Lines("GET /pieces HTTP/1.1", "Host: a"))
			for b := make([]byte, 4<<10); ; time.Sleep(limits.Write / 3) {
				if _, err := c.Read(b); err != nil {
					return
				}
			}
		}, limits.Write, limits.Write + limits.Slack},
		"a refusal that no client reads": {func(c net.Conn) { io.WriteString(c, "hello\r\n\r\n") }, limits.Write, limits.Write + limits.Slack},
	} {
		t.Run(name, func(t *testing.T) {
			s := largeServer()
			inBubble(t, func(t *testing.T) {
				client, end := net.Pipe()
				begun, done := time.Now(), make(chan struct{})
				go func() { defer close(done); tt.client(client) }()
				s.ServeConn(end)
				if took := time.Since(begun); took < tt.least || took > tt.latest {
					t.Errorf("closed after %v, want %v to %v", took, tt.least, tt.latest)
				}
				client.Close()
				<-done
			})
		})
	}
}

// readSlowly reads a byte every 3 s.
func readSlowly(client net.Conn) {
	for b := make([]byte, 1); ; time.Sleep(3 * time.Second) {
		if _, err := client.Read(b); err != nil {
			return
		}
	}
}

// largeServer returns a server that answers targets ending in "large" with a large
// body, and /pieces with a body of several writes.
func largeServer() *Server {
	large := &entry.Variant{Body: []byte(strings.Repeat("large ", 10_000))}
	return testServer(func(o *Options) {
		o.Answer = func(dst []byte, h *Head) ([]byte, *entry.Variant, bool) {
			if string(h.Target) == "/hit/large" {
				return fmt.Appendf(dst, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(large.Body)), large, true
			}
			return fast(dst, h)
		}
		o.Handler = func(ctx *fasthttp.RequestCtx) {
			if string(ctx.RequestURI()) == "/pieces" {
				ctx.SetBodyStream(strings.NewReader(strings.Repeat("x", 64<<10)), -1)
				return
			}
			if strings.HasSuffix(string(ctx.RequestURI()), "large") && !ctx.IsHead() {
				large.Hold()
				Send(ctx, large)
				return
			}
			echo(ctx)
		}
	})
}

// TestIdleEndsSilently: an idle connection is closed without an answer, which the
// client could take for the answer to its next request.
func TestIdleEndsSilently(t *testing.T) {
	for name, request := range map[string]string{
		"nothing": "", "a hit": stricttest.Lines("GET /hit HTTP/1.1", "Host: a"), "a miss": stricttest.Lines("GET /miss HTTP/1.1", "Host: a"), "an empty line": "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				answers, rest, _ := converse(t, testServer(nil), request)
				if want := strings.Count(request, "GET"); len(answers) != want || rest != "" {
					t.Errorf("%d answers, want %d, then %q", len(answers), want, rest)
				}
			})
		})
	}
}

// TestLateRequest: a request that stalls gets a 408, and a request that is cut off
// gets a 400.
func TestLateRequest(t *testing.T) {
	for _, half := range []string{"G", "GET /hit HTTP/1.1\r\nHost: a\r\n", stricttest.Lines("POST /p HTTP/1.1", "Host: a", "Content-Length: 5") + "hell", stricttest.Lines("POST /p HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "5\r\nhello\r\n"} {
		for _, before := range []string{"", stricttest.Lines("GET /hit HTTP/1.1", "Host: a"), stricttest.Lines("GET /miss HTTP/1.1", "Host: a")} {
			inBubble(t, func(t *testing.T) {
				answers, rest, _ := converse(t, testServer(nil), before, half)
				want := strings.Count(before, "GET") + 1
				if len(answers) != want || answers[want-1].status != 408 || rest != "" {
					t.Errorf("%q after %q: %q, then %q", half, before, bodies(answers), rest)
				}
			})
		}
	}
}

// TestCutRequest: a client that closes its side in the middle of a request gets a 400.
// A client that closes between requests gets no answer.
func TestCutRequest(t *testing.T) {
	s := testServer(nil)
	hit := stricttest.Lines("GET /hit HTTP/1.1", "Host: a")
	post := stricttest.Lines("POST /p HTTP/1.1", "Host: a", "Content-Length: 5")
	chunks := stricttest.Lines("POST /p HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
	for text, want := range map[string]string{
		"": "", hit: "[200]", "G": "[400]", hit + "GET /hit HTTP/1.1\r\nHost: a\r\n": "[200 400]", post: "[400]", post + "hell": "[400]", chunks: "[400]",
		chunks + "5": "[400]", chunks + "5\r\nhel": "[400]", chunks + "5\r\nhello": "[400]", chunks + "5\r\nhello\r\n": "[400]", chunks + "0\r\n": "[400]",
	} {
		client, end := proxytest.Pair(t)
		io.WriteString(client, text)
		client.(*net.TCPConn).CloseWrite()
		s.ServeConn(end)
		all, err := io.ReadAll(client)
		if err != nil {
			t.Fatal(err)
		}
		answers, rest := answersIn(string(all))
		got := ""
		if len(answers) > 0 {
			var statuses []int
			for _, a := range answers {
				statuses = append(statuses, a.status)
			}
			got = fmt.Sprint(statuses)
		}
		if got != want || rest != "" {
			t.Errorf("%q: %s, then %q, want %s", text, got, rest, want)
		}
	}
}

// TestDeadlinesRest: while requests keep arriving, deadlines are moved only
// occasionally, and an idle client that sends a request in time is served.
func TestDeadlinesRest(t *testing.T) {
	for name, target := range map[string]string{"hits": "/hit", "misses": "/miss"} {
		t.Run(name, func(t *testing.T) {
			s := testServer(nil)
			inBubble(t, func(t *testing.T) {
				client, end := net.Pipe()
				counted := &countedConn{Conn: end}
				served := make(chan struct{})
				go func() { defer close(served); s.ServeConn(counted) }()
				from := bufio.NewReader(client)
				ask := func() {
					t.Helper()
					go io.WriteString(client, stricttest.Lines("GET "+target+" HTTP/1.1", "Host: a"))
					resp, err := http.ReadResponse(from, nil)
					if err != nil {
						t.Fatal(err)
					}
					io.Copy(io.Discard, resp.Body)
				}
				for range 1000 {
					ask()
					time.Sleep(50 * time.Millisecond)
				}
				if most := 2 + 2*int(50*time.Second/DefaultTimeouts.Slack); counted.deadlines > most {
					t.Errorf("%d deadlines in 50 s", counted.deadlines)
				}
				time.Sleep(DefaultTimeouts.Idle - time.Second)
				ask()
				client.Close()
				<-served
			})
		})
	}
}

// countedConn counts how often a deadline is set.
type countedConn struct {
	net.Conn
	deadlines int
}

func (c *countedConn) SetReadDeadline(t time.Time) error {
	c.deadlines++
	return c.Conn.SetReadDeadline(t)
}

func (c *countedConn) SetWriteDeadline(t time.Time) error {
	c.deadlines++
	return c.Conn.SetWriteDeadline(t)
}

// TestWriteTimeoutPerAnswer: each answer of a pipeline has the full write timeout.
func TestWriteTimeoutPerAnswer(t *testing.T) {
	for _, target := range []string{"/hit", "/hit/large", "/miss", "/large"} {
		t.Run(target, func(t *testing.T) {
			s := largeServer()
			inBubble(t, func(t *testing.T) {
				client, end := net.Pipe()
				served := make(chan struct{})
				go func() { defer close(served); s.ServeConn(end) }()
				const answers = 5
				go io.WriteString(client, strings.Repeat(stricttest.Lines("GET "+target+" HTTP/1.1", "Host: a"), answers))
				from := bufio.NewReader(client)
				for i := range answers {
					time.Sleep(DefaultTimeouts.Write - time.Second) // the client is slow
					resp, err := http.ReadResponse(from, nil)
					if err != nil {
						t.Fatalf("answer %d: %v", i, err)
					}
					if _, err := io.Copy(io.Discard, resp.Body); err != nil {
						t.Fatalf("answer %d: %v", i, err)
					}
				}
				client.Close()
				<-served
			})
		})
	}
}
