package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/proxy/budget"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/wire/stricttest"
)

// echo answers with the method, the target and the body of a request.
func echo(ctx *fasthttp.RequestCtx) {
	fmt.Fprintf(ctx, "%s %s %q", ctx.Method(), ctx.RequestURI(), ctx.Request.Body())
}

// hitHeader is the header of the fast path's answers in these tests.
const hitHeader = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Fast: yes\r\n\r\n"

// fast answers plain requests below /hit.
func fast(dst []byte, h *Head) ([]byte, *entry.Variant, bool) {
	if !bytes.HasPrefix(h.Target, []byte("/hit")) {
		return nil, nil, false
	}
	return append(dst, hitHeader...), &entry.Variant{Body: []byte("hit")}, true
}

func testServer(change func(*Options)) *Server {
	o := Options{Handler: echo, Answer: fast, Name: "test"}
	o.OnPanic = func(target string, cause any) { panic(fmt.Sprint(target, ": ", cause)) }
	if change != nil {
		change(&o)
	}
	return New(o)
}

// inBubble runs test in a synctest bubble after it has started fasthttp's clock
// outside of the bubble.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	var h fasthttp.ResponseHeader
	h.Header()
	synctest.Test(t, test)
}

// converse sends pieces to a server, each as its own packet, and then nothing more. It
// returns the answers, the rest of the received bytes, and the time until the server
// closed the connection. It must run in a synctest bubble.
func converse(t *testing.T, s *Server, pieces ...string) (answers []answer, rest string, took time.Duration) {
	t.Helper()
	client, end := net.Pipe() // a Write there is a Read here
	begun, served := time.Now(), make(chan struct{})
	go func() {
		defer close(served)
		s.ServeConn(end)
	}()
	go func() {
		for i, piece := range pieces {
			if _, err := io.WriteString(client, piece); err != nil {
				return // the server has closed the connection
			}
			if i < len(pieces)-1 {
				synctest.Wait()
			}
		}
	}()
	var all bytes.Buffer
	io.Copy(&all, client)
	took = time.Since(begun)
	<-served
	client.Close()
	answers, rest = answersIn(all.String())
	return answers, rest, took
}

type answer struct {
	status int
	header http.Header
	body   string
}

// TestBodiesShareABudget: bodies that the handler reads share a budget, and dropped
// bodies take nothing from it. A request that exceeds the budget gets a 503; the room
// is free again once the other requests are answered.
func TestBodiesShareABudget(t *testing.T) {
	post := func(target string, size int) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", target, size, strings.Repeat("b", size))
	}
	inBubble(t, func(t *testing.T) {
		bodies := budget.New(400 << 10) // large bodies may use three quarters
		gate := make(chan struct{})
		s := testServer(func(o *Options) {
			o.Bodies, o.TakesBody = bodies, func(target []byte) bool { return string(target) == "/taken" }
			o.Handler = func(ctx *fasthttp.RequestCtx) {
				<-gate
				ctx.SetBodyString(strconv.Itoa(len(ctx.Request.Body())))
			}
		})
		var mu sync.Mutex
		statuses, sizes := map[int]int{}, map[string]int{}
		var all sync.WaitGroup
		begin := func(n int, request string) {
			for range n {
				all.Go(func() {
					answers, _, _ := converse(t, s, request)
					mu.Lock()
					defer mu.Unlock()
					statuses[answers[0].status]++
					sizes[answers[0].body]++
				})
			}
			synctest.Wait()
		}
		for range 10 { // one after the other, or none might find room for all of its body
			begin(1, post("/taken", 50<<10)) // takes 100 KiB of the budget
		}
		begin(10, post("/other", 60<<10))
		begin(3, post("/taken", 4<<10))
		if used := bodies.Stats().Used; used != 300<<10+3*8<<10 || statuses[503] != 7 {
			t.Errorf("%d bytes taken, answers %v", used, statuses)
		}
		close(gate)
		all.Wait()
		if statuses[200] != 16 || statuses[503] != 7 || sizes["51200"] != 3 || sizes["0"] != 10 || sizes["4096"] != 3 {
			t.Errorf("answers %v, bodies %v", statuses, sizes)
		}
		if used := bodies.Stats().Used; used != 0 {
			t.Errorf("%d bytes are left", used)
		}
	})
}

// answersIn parses the answers at the start of a stream, and returns the rest of it.
func answersIn(stream string) (answers []answer, rest string) {
	read := strings.NewReader(stream)
	from := bufio.NewReader(read)
	for {
		rest = stream[len(stream)-read.Len()-from.Buffered():]
		resp, err := http.ReadResponse(from, nil)
		if err != nil {
			return answers, rest
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return answers, rest
		}
		if resp.Close {
			resp.Header.Set("Connection", "close") // ReadResponse removes the header
		}
		answers = append(answers, answer{resp.StatusCode, resp.Header, string(body)})
	}
}

func bodies(answers []answer) (all []string) {
	for _, a := range answers {
		all = append(all, a.body)
	}
	return all
}

// TestServe: each request gets exactly one answer, in order; the fast path answers
// plain requests. The connection stays open unless a side closes it.
func TestServe(t *testing.T) {
	hit, miss := stricttest.Lines("GET /hit HTTP/1.1", "Host: a"), stricttest.Lines("GET /miss HTTP/1.1", "Host: a")
	post := stricttest.Lines("POST /p HTTP/1.1", "Host: a", "Content-Length: 5") + "hello"
	chunks := stricttest.Lines("POST /c HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "2;x=y\r\nhe\r\n003\r\nllo\r\n0\r\nX: y\r\n\r\n"
	const wasHit, wasMiss, wasPost, wasChunks = "hit", `GET /miss ""`, `POST /p "hello"`, `POST /c "hello"`
	for name, tt := range map[string]struct {
		stream string
		want   []string
	}{
		"a hit":                              {hit, []string{wasHit}},
		"a miss":                             {miss, []string{wasMiss}},
		"all kinds":                          {hit + miss + post + hit + chunks + hit + hit + miss, []string{wasHit, wasMiss, wasPost, wasHit, wasChunks, wasHit, wasHit, wasMiss}},
		"an empty line before each":          {"\r\n" + hit + "\r\n" + post + "\r\n" + hit, []string{wasHit, wasPost, wasHit}},
		"a hit, with a body":                 {stricttest.Lines("GET /hit HTTP/1.1", "Host: a", "Content-Length: 2") + "hi" + hit, []string{`GET /hit "hi"`, wasHit}},
		"a hit, with an empty body":          {stricttest.Lines("GET /hit HTTP/1.1", "Host: a", "Content-Length: 0") + hit, []string{`GET /hit ""`, wasHit}},
		"a hit of HTTP/1.0":                  {stricttest.Lines("GET /hit HTTP/1.0", "Connection: keep-alive") + hit, []string{`GET /hit ""`, wasHit}},
		"a hit that is the last":             {stricttest.Lines("GET /hit HTTP/1.1", "Host: a", "Connection: close") + hit, []string{`GET /hit ""`}},
		"the last of HTTP/1.0":               {stricttest.Lines("GET /miss HTTP/1.0") + hit, []string{wasMiss}},
		"an expectation, and no body":        {stricttest.Lines("GET /miss HTTP/1.1", "Host: a", "Expect: 100-continue") + hit, []string{wasMiss, wasHit}},
		"an expectation of HTTP/1.0":         {stricttest.Lines("POST /p HTTP/1.0", "Expect: 100-continue", "Content-Length: 5") + "hello", []string{wasPost}},
		"a body that is a request":           {stricttest.Lines("POST /p HTTP/1.1", "Host: a", fmt.Sprint("Content-Length: ", len(hit))) + hit + hit, []string{fmt.Sprintf("POST /p %q", hit), wasHit}},
		"chunks that are requests":           {stricttest.Lines("POST /p HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hit), hit) + hit, []string{fmt.Sprintf("POST /p %q", hit), wasHit}},
		"a trailer that resembles a request": {stricttest.Lines("POST /c HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "0\r\nGET: /hit HTTP/1.1\r\nHost: a\r\n\r\n" + hit, []string{`POST /c ""`, wasHit}},
	} {
		t.Run(name, func(t *testing.T) {
			s := testServer(nil)
			step := max(1, len(tt.stream)/97)
			for cut := 0; cut < len(tt.stream); cut += step {
				pieces := []string{tt.stream}
				if cut > 0 {
					pieces = []string{tt.stream[:cut], tt.stream[cut:]}
				}
				inBubble(t, func(t *testing.T) {
					answers, rest, _ := converse(t, s, pieces...)
					if got := bodies(answers); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) || rest != "" {
						t.Fatalf("cut at %d: %q, want %q; then %q", cut, got, tt.want, rest)
					}
				})
			}
			inBubble(t, func(t *testing.T) { // byte by byte
				answers, _, _ := converse(t, s, strings.Split(tt.stream, "")...)
				if got := bodies(answers); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) {
					t.Fatalf("byte by byte: %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// TestRefused: a refused request gets an error in the API's format and ends the
// connection. Bytes after it are not read.
func TestRefused(t *testing.T) {
	requests := map[string]struct {
		text   string
		status int
	}{
		"no request":             {"hello\r\n\r\n", 400},
		"a bare LF":              {"GET /hit HTTP/1.1\n", 400},
		"two empty lines":        {"\r\n\r\n" + stricttest.Lines("GET /hit HTTP/1.1", "Host: a"), 400},
		"too long":               {"GET /hit HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", MaxHead), 431},
		"too long, with its end": {stricttest.Lines("GET /hit HTTP/1.1", "Host: a", "X: "+strings.Repeat("x", MaxHead)), 431},
		"a long body":            {stricttest.Lines("POST /p HTTP/1.1", "Host: a", fmt.Sprint("Content-Length: ", MaxBody+1)), 413},
		"a body that waits":      {stricttest.Lines("POST /p HTTP/1.1", "Host: a", "Content-Length: 2", "Expect: 100-continue") + "hi", 417},
		"another expectation":    {stricttest.Lines("POST /p HTTP/1.1", "Host: a", "Content-Length: 2", "Expect: x") + "hi", 417},
		"a trailer for fasthttp": {stricttest.Lines("GET /miss HTTP/1.1", "Host: a", "Trailer: Content-Length"), 400},
	}
	for name, tt := range stricttest.RefusedHeads {
		requests["head: "+name] = struct {
			text   string
			status int
		}{tt.Head, tt.Status}
	}
	for name, chunks := range stricttest.RefusedChunks {
		status := 400
		if strings.HasPrefix(name, "too large") {
			status = 413
		}
		requests["chunks: "+name] = struct {
			text   string
			status int
		}{stricttest.Lines("POST /c HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + chunks, status}
	}
	s := testServer(nil)
	for name, tt := range requests {
		t.Run(name, func(t *testing.T) {
			hit := stricttest.Lines("GET /hit HTTP/1.1", "Host: a")
			inBubble(t, func(t *testing.T) {
				answers, rest, took := converse(t, s, hit+tt.text+hit)
				if len(answers) != 2 || answers[0].body != "hit" || rest != "" || took >= DefaultTimeouts.Read {
					t.Fatalf("%q, then %q, after %v", bodies(answers), rest, took)
				}
				a := answers[1]
				if a.status != tt.status || a.header.Get("Connection") != "close" || a.header.Get("Retry-After") != "" || a.header.Get("Content-Type") != "application/json" ||
					a.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(a.body, `{"detail":"`) {
					t.Errorf("%+v, want %d", a, tt.status)
				}
			})
		})
	}
}

// TestLargestBodies: a body of exactly MaxBody bytes is read, with a length and in
// chunks; so are chunks with the largest permitted extensions and trailers.
func TestLargestBodies(t *testing.T) {
	body := strings.Repeat("x", MaxBody)
	s := testServer(func(o *Options) {
		o.Handler = func(ctx *fasthttp.RequestCtx) { fmt.Fprint(ctx, len(ctx.Request.Body())) }
	})
	chunks := stricttest.Lines("POST /c HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
	half := fmt.Sprintf("%X\r\n%s\r\n", MaxBody/2, body[:MaxBody/2])
	for name, tt := range map[string]struct{ text, want string }{
		"a length":        {stricttest.Lines("POST /p HTTP/1.1", "Host: a", fmt.Sprint("Content-Length: ", MaxBody)) + body, fmt.Sprint(MaxBody)},
		"a chunk":         {chunks + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", MaxBody, body), fmt.Sprint(MaxBody)},
		"two chunks":      {chunks + half + half + "0\r\n\r\n", fmt.Sprint(MaxBody)},
		"a long line":     {chunks + "5;" + strings.Repeat("x", 256-4) + "\r\nhello\r\n0\r\n\r\n", "5"},
		"long extensions": {chunks + strings.Repeat("1;"+strings.Repeat("x", 127)+"\r\nh\r\n", 4096/128) + "0\r\n\r\n", fmt.Sprint(4096 / 128)},
		"all hex digits":  {chunks + "0000000a\r\n0123456789\r\nF\r\n0123456789abcde\r\n0;x=y\r\n\r\n", "25"},
		"trailers":        {chunks + "0\r\n" + strings.Repeat("x: "+strings.Repeat("y", 125)+"\r\n", 4096/128) + "\r\n", "0"},
	} {
		inBubble(t, func(t *testing.T) {
			answers, rest, _ := converse(t, s, tt.text+stricttest.Lines("GET /miss HTTP/1.1", "Host: a"))
			if len(answers) != 2 || answers[0].body != tt.want || answers[1].body != "0" || rest != "" {
				t.Errorf("%s: %q, then %q", name, bodies(answers), rest)
			}
		})
	}
}

// TestRefusalAfterHEAD: a refusal has a body, unless it answers a HEAD request.
func TestRefusalAfterHEAD(t *testing.T) {
	s := testServer(nil)
	for request, body := range map[string]bool{
		"hello\n": true, stricttest.Lines("GET / HTTP/1.1"): true, stricttest.Lines("HEAD / HTTP/1.1"): false, stricttest.Lines("HEAD / HTTP/1.1", "Host: a", "Content-Length: 70000"): false,
	} {
		inBubble(t, func(t *testing.T) {
			client, end := net.Pipe()
			go io.WriteString(client, stricttest.Lines("HEAD /miss HTTP/1.1", "Host: a")+request)
			go s.ServeConn(end)
			all, err := io.ReadAll(client)
			parts := strings.SplitN(string(all), "\r\n\r\n", 3)
			if err != nil || len(parts) != 3 || strings.HasPrefix(parts[2], `{"detail":"`) != body || (parts[2] == "") == body {
				t.Errorf("%q: %q, %v", request, all, err)
			}
		})
	}
}

// TestJoinedFields: the Handler gets the lines of a repeatable field as one line, and
// all other fields in their order.
func TestJoinedFields(t *testing.T) {
	s := testServer(func(o *Options) {
		o.Handler = func(ctx *fasthttp.RequestCtx) {
			h := &ctx.Request.Header
			fmt.Fprintf(ctx, "%q%q%q%q", h.Peek("Accept-Encoding"), h.Peek("If-None-Match"), h.Peek("If-Match"), h.PeekAll("X"))
		}
	})
	inBubble(t, func(t *testing.T) {
		request := stricttest.Lines("POST / HTTP/1.1", "Host: a", "Accept-Encoding: br", "If-None-Match: \"x\"", "X: 1", "accept-encoding: gzip", "X: 2", "if-none-match: \"y\"", "If-Match: \"z\"", "If-Match: *")
		answers, _, _ := converse(t, s, request)
		if want := `"br, gzip""\"x\", \"y\"""\"z\", *"["1" "2"]`; len(answers) != 1 || answers[0].body != want {
			t.Errorf("%q, want %s", bodies(answers), want)
		}
	})
}

// TestPanicOfFastPath: a panic closes only its own connection, and is reported.
func TestPanicOfFastPath(t *testing.T) {
	var told []string
	s := testServer(func(o *Options) {
		o.Answer = func([]byte, *Head) ([]byte, *entry.Variant, bool) { panic("in the fast path") }
		o.OnPanic = func(target string, cause any) { told = append(told, fmt.Sprint(target, " ", cause)) }
	})
	inBubble(t, func(t *testing.T) {
		answers, rest, _ := converse(t, s, stricttest.Lines("GET /hit HTTP/1.1", "Host: a"))
		if len(answers) > 0 || rest != "" || fmt.Sprint(told) != "[/hit in the fast path]" || s.Stats().Open != 0 {
			t.Errorf("%q, %q, %q, %+v", bodies(answers), rest, told, s.Stats())
		}
	})
	s = testServer(func(o *Options) {
		o.Handler = func(*fasthttp.RequestCtx) { panic("in the handler") }
		o.OnPanic = func(_ string, cause any) { told = append(told, fmt.Sprint(cause)) }
	})
	inBubble(t, func(t *testing.T) {
		told = nil
		answers, rest, _ := converse(t, s, stricttest.Lines("GET /miss HTTP/1.1", "Host: a"))
		if len(answers) > 0 || rest != "" || fmt.Sprint(told) != "[in the handler]" || s.Stats().Open != 0 {
			t.Errorf("%q, %q, %q, %+v", bodies(answers), rest, told, s.Stats())
		}
	})
}

// TestHandlerCloses: an answer with "Connection: close" is the last on its connection.
func TestHandlerCloses(t *testing.T) {
	s := testServer(func(o *Options) {
		o.Handler = func(ctx *fasthttp.RequestCtx) {
			echo(ctx)
			ctx.SetConnectionClose()
		}
	})
	inBubble(t, func(t *testing.T) {
		answers, _, took := converse(t, s, strings.Repeat(stricttest.Lines("GET /miss HTTP/1.1", "Host: a"), 3))
		if len(answers) != 1 || answers[0].header.Get("Connection") != "close" || took > 0 {
			t.Errorf("%+v after %v", answers, took)
		}
	})
}

// TestVersions: an answer to an HTTP/1.0 client states whether the connection stays
// open.
func TestVersions(t *testing.T) {
	s := testServer(nil)
	inBubble(t, func(t *testing.T) {
		for request, want := range map[string]string{
			stricttest.Lines("GET /miss HTTP/1.0"):                                 "close",
			stricttest.Lines("GET /miss HTTP/1.0", "Connection: keep-alive"):       "keep-alive",
			stricttest.Lines("GET /miss HTTP/1.1", "Host: a"):                      "",
			stricttest.Lines("GET /miss HTTP/1.1", "Host: a", "Connection: close"): "close",
		} {
			answers, _, _ := converse(t, s, request)
			if len(answers) != 1 || answers[0].header.Get("Connection") != want || answers[0].header.Get("Server") != "test" {
				t.Errorf("%q: %+v, want Connection %q", request, answers, want)
			}
		}
	})
}

// TestConnectionLimit: a connection over the limit is refused in the API's format and
// counted, and refusals are logged once a minute. Reserved targets are served.
func TestConnectionLimit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var log bytes.Buffer
		s := testServer(func(o *Options) {
			o.MaxConns, o.ReservedConns = 3, 2
			o.Reserved = func(target []byte) bool { return string(target) == "/livez" }
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		ln := &pipes{accept: make(chan net.Conn)}
		served := make(chan error, 1)
		go func() { served <- s.Serve(ln) }()
		ask := func(request string) (client net.Conn, said string) {
			client, end := net.Pipe()
			ln.accept <- end
			io.WriteString(client, request)
			client.SetReadDeadline(time.Now().Add(time.Second))
			all, _ := io.ReadAll(client)
			return client, string(all)
		}
		hit := stricttest.Lines("GET /hit HTTP/1.1", "Host: a")
		for range 3 {
			client, said := ask(hit)
			defer client.Close()
			if said != hitHeader+"hit" {
				t.Fatalf("%q", said)
			}
		}
		for range 4 {
			for _, method := range []string{"GET", "HEAD"} {
				client, said := ask(stricttest.Lines(method+" /hit HTTP/1.1", "Host: a"))
				client.Close()
				if method == "HEAD" && !strings.HasSuffix(said, "\r\n\r\n") {
					t.Errorf("the answer to a HEAD has a body: %q", said)
				}
				if method == "GET" {
					answers, rest := answersIn(said)
					if len(answers) != 1 || rest != "" {
						t.Fatalf("%q", said)
					}
					a := answers[0]
					if a.status != 503 || a.header.Get("Retry-After") == "" || a.header.Get("Content-Type") != "application/json" || a.header.Get("Connection") != "close" || !strings.HasPrefix(a.body, `{"detail":"`) {
						t.Errorf("%+v", a)
					}
				}
			}
			client, said := ask(strings.Repeat(stricttest.Lines("GET /livez HTTP/1.1", "Host: a"), 2))
			client.Close()
			answers, rest := answersIn(said)
			if len(answers) != 1 || rest != "" || answers[0].status != 200 || answers[0].header.Get("Connection") != "close" {
				t.Errorf("a probe: %q", said)
			}
			synctest.Wait()
		}
		if got := s.Stats(); got.Refused != 8 || got.Open != 3 {
			t.Errorf("%+v", got)
		}
		if n := strings.Count(log.String(), "connection limit reached"); n != 1 {
			t.Errorf("%d lines in the log:\n%s", n, log.String())
		}
		time.Sleep(DefaultTimeouts.Idle + DefaultTimeouts.Slack)
		client, said := ask(hit)
		client.Close()
		if n := strings.Count(log.String(), "connection limit reached"); n != 1 || said != hitHeader+"hit" {
			t.Errorf("after the others were closed: %q, %d lines in the log", said, n)
		}
		close(ln.accept)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// TestConnectionFlood: connections that send nothing can take the reserved connections
// too. Further connections get a 503 without a request being read, and beyond a second
// limit they are closed.
func TestConnectionFlood(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := testServer(func(o *Options) { o.MaxConns, o.ReservedConns = 2, 2 })
		ln := &pipes{accept: make(chan net.Conn)}
		served := make(chan error, 1)
		go func() { served <- s.Serve(ln) }()
		var got []string
		for range 8 {
			client, end := net.Pipe()
			defer client.Close()
			ln.accept <- end
			client.SetReadDeadline(time.Now().Add(time.Second))
			all, _ := io.ReadAll(client)
			got = append(got, string(all[:min(len(all), len("HTTP/1.1 503"))]))
		}
		if want := []string{"", "", "", "", "HTTP/1.1 503", "HTTP/1.1 503", "HTTP/1.1 503", "HTTP/1.1 503"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		if stats := s.Stats(); stats.Open != 4 || stats.Refused != 4 {
			t.Errorf("%+v", stats)
		}
		// Clients that do not read their 503 can occupy only a few more connections.
		var silent []net.Conn
		for range 5 {
			client, end := net.Pipe()
			ln.accept <- end
			silent = append(silent, client)
			synctest.Wait()
		}
		if stats := s.Stats(); stats.Open != 6 || stats.Refused != 9 {
			t.Errorf("%+v", stats)
		}
		client := silent[4]
		if n, err := client.Read(make([]byte, 1)); n > 0 || err != io.EOF {
			t.Errorf("the last answer: %d bytes, %v", n, err)
		}
		for _, client := range silent {
			defer client.Close()
		}
		close(ln.accept)
		if err := <-served; err != nil {
			t.Error(err)
		}
		time.Sleep(2 * lingerTime)
		if stats := s.Stats(); stats.Open != 4 {
			t.Errorf("%+v", stats)
		}
		time.Sleep(DefaultTimeouts.Read)
		if stats := s.Stats(); stats.Open != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

// pipes is a listener whose connections the test makes.
type pipes struct {
	net.Listener
	accept chan net.Conn
}

func (p *pipes) Accept() (net.Conn, error) {
	if conn, ok := <-p.accept; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

// TestNothingIsKept: data that a request leaves in its context does not reach another
// request, on the same connection or on another connection that reuses the session.
func TestNothingIsKept(t *testing.T) {
	s := testServer(func(o *Options) {
		o.Handler = func(ctx *fasthttp.RequestCtx) {
			kept := ctx.UserValue("who")
			ctx.SetUserValue("who", "an operator")
			fmt.Fprintf(ctx, "%v %q %q", kept, ctx.Request.Body(), ctx.Request.Header.Peek("X"))
			ctx.Response.Header.Set("X", "set")
		}
	})
	first := stricttest.Lines("POST /p HTTP/1.1", "Host: a", "X: 1", "Content-Length: 5") + "hello"
	second := stricttest.Lines("POST /p HTTP/1.1", "Host: a")
	for range 3 {
		inBubble(t, func(t *testing.T) {
			answers, _, _ := converse(t, s, first+second)
			if got := bodies(answers); fmt.Sprintf("%q", got) != `["<nil> \"hello\" \"1\"" "<nil> \"\" \"\""]` {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestWriteFails: a connection on which an answer can't be written is closed, and no
// further request is answered on it.
func TestWriteFails(t *testing.T) {
	for _, target := range []string{"/hit", "/hit/large", "/miss", "/large"} {
		t.Run(target, func(t *testing.T) {
			var answered int
			s := largeServer()
			handler, fast := s.opts.Handler, s.opts.Answer
			s.opts.Handler = func(ctx *fasthttp.RequestCtx) { answered++; handler(ctx) }
			s.opts.Answer = func(dst []byte, h *Head) ([]byte, *entry.Variant, bool) {
				header, v, ok := fast(dst, h)
				if ok {
					answered++
				}
				return header, v, ok
			}
			conn := &deaf{request: stricttest.Lines("GET "+target+" HTTP/1.1", "Host: a")}
			s.ServeConn(conn)
			if answered != 1 || conn.closed == 0 || s.Stats().Open != 0 {
				t.Errorf("%d answers, closed %d times, %+v", answered, conn.closed, s.Stats())
			}
		})
	}
}

// deaf is a connection whose client sends requests and reads no answer.
type deaf struct {
	net.Conn
	request string
	closed  int
}

func (d *deaf) Read(b []byte) (int, error)     { return copy(b, d.request), nil }
func (*deaf) Write([]byte) (int, error)        { return 0, io.ErrClosedPipe }
func (*deaf) SetReadDeadline(time.Time) error  { return nil }
func (*deaf) SetWriteDeadline(time.Time) error { return nil }
func (d *deaf) Close() error                   { d.closed++; return nil }

// TestHeadersAlone: the answer to a HEAD request has the header of the answer to a
// GET, and no body.
func TestHeadersAlone(t *testing.T) {
	s := largeServer()
	for _, target := range []string{"/miss", "/hit"} {
		inBubble(t, func(t *testing.T) {
			client, end := net.Pipe()
			go io.WriteString(client, stricttest.Lines("HEAD "+target+" HTTP/1.1", "Host: a", "Connection: close"))
			go s.ServeConn(end)
			all, err := io.ReadAll(client)
			head, rest, _ := strings.Cut(string(all), "\r\n\r\n")
			if err != nil || rest != "" || !strings.Contains(head, fmt.Sprintf("\r\nContent-Length: %d", len("HEAD  \"\"")+len(target))) {
				t.Errorf("%q, %v", all, err)
			}
		})
	}
}

// TestDefaults: a Server without limits uses the documented defaults.
func TestDefaults(t *testing.T) {
	o := New(Options{Handler: echo}).opts
	want := Timeouts{Read: 10 * time.Second, Idle: time.Minute, Write: 90 * time.Second, Slack: 10 * time.Second}
	if o.MaxConns != 4000 || o.ReservedConns != 64 || o.Timeouts != want || o.Reserved([]byte("/")) {
		t.Errorf("%+v", o)
	}
	inBubble(t, func(t *testing.T) {
		s := New(Options{Handler: func(*fasthttp.RequestCtx) { panic("in the handler") }})
		if answers, rest, _ := converse(t, s, stricttest.Lines("GET / HTTP/1.1", "Host: a")); len(answers) > 0 || rest != "" {
			t.Errorf("%v, %q", answers, rest)
		}
	})
}

// TestRefusalArrives: a client that goes on sending after the error in its request
// receives the complete answer; its connection is not reset.
func TestRefusalArrives(t *testing.T) {
	s := testServer(nil)
	for name, request := range map[string]string{
		"a bad head":  stricttest.Lines("GET / HTTP/1.1", "Host: u@a"),
		"a long body": stricttest.Lines("POST / HTTP/1.1", "Host: a", "Content-Length: 100000"),
		"bad chunks":  stricttest.Lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "x\r\n",
	} {
		client, end := proxytest.Pair(t)
		if _, err := io.WriteString(client, request+strings.Repeat("x", 100_000)); err != nil {
			t.Fatal(err)
		}
		go s.ServeConn(end)
		var all []byte
		b := make([]byte, 1<<10)
		for {
			n, err := client.Read(b)
			all = append(all, b[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v after %q", name, err, all)
			}
		}
		if answers, rest := answersIn(string(all)); len(answers) != 1 || answers[0].status/100 != 4 || rest != "" {
			t.Errorf("%s: %q", name, all)
		}
		client.Close()
	}
}

// TestStop: a Server that is shut down accepts no listener, closes idle connections,
// and waits for answers until the context ends.
func TestStop(t *testing.T) {
	gate := make(chan struct{})
	s := testServer(func(o *Options) {
		o.Handler = func(ctx *fasthttp.RequestCtx) { <-gate; echo(ctx); ctx.SetConnectionClose() }
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		return conn
	}
	idle, busy := dial(), dial()
	io.WriteString(idle, stricttest.Lines("GET /hit HTTP/1.1", "Host: a"))
	if _, err := io.ReadFull(idle, make([]byte, len(hitHeader)+3)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(busy, stricttest.Lines("GET /miss HTTP/1.1", "Host: a"))
	ended, end := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(ended) }()
	if n, err := idle.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		t.Errorf("the idle connection: %d bytes, %v", n, err)
	}
	end()
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("with an answer under way: %v", err)
	}
	close(gate)
	all, err := io.ReadAll(busy)
	if answers, rest := answersIn(string(all)); err != nil || len(answers) != 1 || rest != "" {
		t.Errorf("%q, %v", all, err)
	}
	if err := errors.Join(s.Shutdown(t.Context()), <-served); err != nil {
		t.Error(err)
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(other); err != nil {
		t.Error(err)
	}
	if _, err := other.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it still listens: %v", err)
	}
}

// TestAcceptFails: a listener that fails ends Serve with its error.
func TestAcceptFails(t *testing.T) {
	s, failed := testServer(nil), errors.New("failed")
	if err := s.Serve(failing{failed}); !errors.Is(err, failed) {
		t.Error(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Accept() (net.Conn, error) { return nil, f.err }
func (failing) Close() error                { return nil }
func (failing) Addr() net.Addr              { return nil }
