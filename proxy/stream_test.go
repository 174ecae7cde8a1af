package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/wire"
	"github.com/lewistv/xcri-proxy/store"
)

// converse sends pieces to p on one connection, each as its own packet, and then
// nothing more. It returns the received bytes and the time until the server closed the
// connection. It must run in a synctest bubble.
func converse(p *Proxy, withFastPath bool, pieces ...string) (received string, took time.Duration) {
	client, end := net.Pipe() // a Write there is a Read here
	server := p.server
	if !withFastPath {
		server = slowServer(p)
	}
	begun, served := time.Now(), make(chan struct{})
	go func() {
		defer close(served)
		server.ServeConn(end)
	}()
	go func() {
		for i, piece := range pieces {
			if piece == "" {
				continue
			}
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
	return all.String(), took
}

// inBubble runs test in a synctest bubble after it has started fasthttp's clock
// outside of the bubble.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	var h fasthttp.ResponseHeader
	h.Header()
	synctest.Test(t, test)
}

// statusesIn returns the status of each answer in a stream, which must consist of
// complete answers.
func statusesIn(t *testing.T, stream string) (statuses []int) {
	t.Helper()
	for from := bufio.NewReader(strings.NewReader(stream)); ; {
		if _, err := from.Peek(1); err == io.EOF {
			return statuses
		}
		resp, err := http.ReadResponse(from, nil)
		if err != nil {
			t.Fatalf("%v in %q", err, stream)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatalf("%v in %q", err, stream)
		}
		statuses = append(statuses, resp.StatusCode)
	}
}

// inner is a request that is a hit; bodies use it as their content.
var inner = lines("GET /teams/ HTTP/1.1", "Host: a", "Accept-Encoding: gzip")

// bodies lists requests whose body resembles a request.
var bodies = map[string]struct {
	head, body string
	statuses   []int // of the answers
}{
	"POST":    {lines("POST /iz/xcri/api/e HTTP/1.1", "Host: a", fmt.Sprint("Content-Length: ", len(inner))), inner, []int{404}},
	"chunked": {lines("POST /iz/xcri/api/e HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"), fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner), []int{404}},
	"GET":     {lines("GET /teams/ HTTP/1.1", "Host: a", fmt.Sprint("Content-Length: ", len(inner))), inner, []int{200}},
	"PUT":     {lines("PUT /teams/ HTTP/1.1", "Host: a", fmt.Sprint("Content-Length: ", len(inner))), inner, []int{405}},
	"Expect":  {lines("POST /e HTTP/1.1", "Host: a", "Expect: 100-continue", fmt.Sprint("Content-Length: ", len(inner))), inner, []int{417}},
	"Expect, then chunks": {lines("POST /e HTTP/1.1", "Host: a", "Expect: 100-continue", "Transfer-Encoding: chunked"),
		fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner), []int{417}},
}

// TestBodyIsNoRequest: the bytes of a request's body are never parsed as a request, after
// any answers and with any split into packets.
func TestBodyIsNoRequest(t *testing.T) {
	for _, size := range []int{900, 40 << 10} { // written with the header and without copying
		p := streamProxy(t, size)
		hit := lines("GET /teams/?limit=40 HTTP/1.1", "Host: a")
		for name, tt := range bodies {
			for _, before := range []string{"", hit, hit + hit} {
				t.Run(fmt.Sprintf("%s, %d bytes, after %d", name, size, len(before)), func(t *testing.T) {
					want := slices.Concat([]int{200, 200}[:strings.Count(before, "\r\n\r\n")], tt.statuses)
					for cut := 0; cut <= len(tt.body); cut++ {
						inBubble(t, func(t *testing.T) {
							got, _ := converse(p, true, before+tt.head, tt.body[:cut], tt.body[cut:])
							if statuses := statusesIn(t, got); fmt.Sprint(statuses) != fmt.Sprint(want) {
								t.Fatalf("cut at %d: answers %v, want %v", cut, statuses, want)
							}
						})
					}
				})
			}
		}
	}
}

// streamProxy returns a proxy whose answers all have the same size. The fast path
// knows its hits, /teams/ and /teams/?limit=40. They do not move in the cache, whose
// goroutines do not belong to the bubbles of the tests.
func streamProxy(t testing.TB, size int) *Proxy {
	body := proxytest.List(size)
	p, err := New(Options{Generations: generation.Options{Pages: []string{"/teams/", "/teams/?limit=40"}}, BasePath: "/iz/xcri", Origin: &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) {
		return store.Answer{Status: 200, Body: body}, nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	p.generations.Once(t.Context())
	for _, target := range p.opts.Generations.Pages {
		p.handle(requestCtx("GET", target))
		if p.targets.Get([]byte(target)) == nil {
			t.Fatalf("%s is not known", target)
		}
	}
	return p
}

// TestTimeoutsOfRequests: the deadlines start again with each request and each answer, on
// each path and with any number of pipelined requests.
func TestTimeoutsOfRequests(t *testing.T) {
	p := streamProxy(t, 40<<10)
	miss := lines("GET /nowhere HTTP/1.1", "Host: a")
	post := lines("POST /nowhere HTTP/1.1", "Host: a", "Content-Length: 10")
	limits := wire.DefaultTimeouts
	for name, tt := range map[string]struct {
		pieces        []string
		statuses      []int
		least, latest time.Duration
	}{
		"nothing":                       {nil, nil, limits.Read, limits.Read},
		"a hit, then nothing":           {[]string{inner}, []int{200}, limits.Idle, limits.Idle + limits.Slack},
		"hits, then nothing":            {[]string{inner, inner, inner}, []int{200, 200, 200}, limits.Idle, limits.Idle + limits.Slack},
		"a miss, then nothing":          {[]string{miss}, []int{404}, limits.Idle, limits.Idle + limits.Slack},
		"half a header":                 {[]string{"GET /te"}, []int{408}, limits.Read, limits.Read},
		"a hit, then half a header":     {[]string{inner, "GET /te"}, []int{200, 408}, limits.Read, limits.Read},
		"half a body":                   {[]string{post + "1"}, []int{408}, limits.Read, limits.Read},
		"a hit, then half a body":       {[]string{inner, post + "1"}, []int{200, 408}, limits.Read, limits.Read},
		"half a body, sent with a hit":  {[]string{inner + post, "1"}, []int{200, 408}, limits.Read, limits.Read},
		"half a body, sent with a miss": {[]string{miss + post, "1"}, []int{404, 408}, limits.Read, limits.Read},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				got, took := converse(p, true, tt.pieces...)
				if statuses := statusesIn(t, got); fmt.Sprint(statuses) != fmt.Sprint(tt.statuses) {
					t.Errorf("answers %v, want %v", statuses, tt.statuses)
				}
				if took < tt.least || took > tt.latest {
					t.Errorf("closed after %v, want %v to %v", took, tt.least, tt.latest)
				}
			})
		})
	}
}

// TestWriteTimeoutPerAnswer: each answer of a pipeline has the full write timeout.
func TestWriteTimeoutPerAnswer(t *testing.T) {
	p := streamProxy(t, 40<<10)
	inBubble(t, func(t *testing.T) {
		client, end := net.Pipe()
		served := make(chan struct{})
		go func() {
			defer close(served)
			p.server.ServeConn(end)
		}()
		const answers = 5
		go io.WriteString(client, strings.Repeat(inner, answers))
		from := bufio.NewReader(client)
		for i := range answers {
			time.Sleep(wire.DefaultTimeouts.Write - time.Second) // the client is slow
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
}
