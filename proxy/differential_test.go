package proxy

import (
	"bytes"
	"context"
	settings "flag" // the package has a function of this name
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/wire"
	"github.com/lewistv/xcri-proxy/store"
)

// streamTime is for how long TestStreams goes on; zero means a fixed number of streams.
var streamTime = settings.Duration("streams", 0, "how long TestStreams compares generated streams")

// stream holds the bytes that a client sends on one connection.
type stream struct {
	pieces []string // packets
	text   string   // all of them
	// statuses holds the statuses of the answers if the stream is well-formed. The
	// last answer may close the connection, so that the rest is not answered.
	statuses   []int
	wellFormed bool
	// strict is set if the stream contains syntax that fasthttp parses differently.
	strict bool
}

// choices turns the bytes of a fuzz target into choices, and returns zeros after them.
type choices struct{ data []byte }

func (c *choices) n(below int) int {
	if len(c.data) < 2 || below <= 1 {
		return 0
	}
	v := int(c.data[0])<<8 | int(c.data[1])
	c.data = c.data[2:]
	return v % below
}

func (c *choices) of(texts ...string) string { return texts[c.n(len(texts))] }

// Headers of requests that the cache answers.
var (
	hitCodings    = []string{"gzip", "br", "zstd", "identity", "gzip, deflate, br, zstd", "*;q=0", "gzip;q=0"}
	hitConditions = []string{"*", `"x"`, `W/"x", *`}
	hitHeaders    = []string{"Origin: https://b", "Cookie: a=b", "X-Forwarded-For: 10.0.0.1", `If-Match: "x"`, "If-Match: *"}
)

// hit is a request for a target that is in the cache, or will be.
func (c *choices) hit() string {
	head := []string{c.of("GET", "GET", "GET", "GET", "GET", "HEAD") + " " + c.of("/teams/", "/teams/?limit=40", "/iz/xcri/api/teams/", fmt.Sprint("/teams/?limit=", 1+c.n(60))) + " HTTP/1.1", "Host: a"}
	switch c.n(9) {
	case 0:
		head = append(head, "Accept-Encoding: "+c.of(hitCodings...))
	case 1:
		head = append(head, "If-None-Match: "+c.of(hitConditions...))
	case 2:
		head = append(head, c.of(hitHeaders...))
	}
	return lines(head...)
}

// body returns a body that resembles requests.
func (c *choices) body() string {
	var text strings.Builder
	for range c.n(3) {
		text.WriteString(c.of(inner, lines("GET /livez HTTP/1.1", "Host: a"), c.hit(), "GET /te", "\r\n\r\n", "0\r\n\r\n"))
	}
	return text.String()
}

// chunks writes a body in chunks.
func (c *choices) chunks(body string) string {
	var text strings.Builder
	for len(body) > 0 {
		n := 1 + c.n(len(body))
		fmt.Fprintf(&text, c.of("%x", "%X", "0%x")+c.of("", "", ";x=y")+"\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	text.WriteString("0\r\n" + c.of("", "X-Trailer: 1\r\n") + "\r\n")
	return text.String()
}

// add adds a request to a stream. It returns false for the last request.
func (s *stream) add(c *choices) bool {
	add := func(status int, text ...string) {
		s.text += strings.Join(text, "")
		s.statuses = append(s.statuses, status)
	}
	method, target := c.of("POST", "PUT", "PATCH", "DELETE", "FOO"), c.of("/nowhere", "/iz/xcri/api/e", "/teams/")
	status := 404
	if target == "/teams/" {
		status = 405
	}
	switch c.n(14) {
	default:
		head := c.hit()
		status := 200
		switch {
		case strings.Contains(head, `If-Match: "x"`):
			status = 412
		case strings.Contains(head, "If-None-Match") && strings.Contains(head, "*"):
			status = 304
		}
		add(status, head)
	case 0:
		add(404, lines("GET /nowhere HTTP/1.1", "Host: a"))
	case 1:
		add(422, lines("GET /teams/?limit=x HTTP/1.1", "Host: a"))
	case 2:
		body := c.body()
		add(status, lines(method+" "+target+" HTTP/1.1", "Host: a", fmt.Sprint("Content-Length: ", len(body))), body)
	case 3:
		add(status, lines(method+" "+target+" HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"), c.chunks(c.body()))
	case 4:
		body := c.body()
		add(200, lines("GET /teams/ HTTP/1.1", "Host: a", fmt.Sprint("Content-Length: ", len(body))), body)
	case 5:
		add(200, c.of("", "\r\n"), lines("GET /livez HTTP/1.1", "Host: a"))
	case 6:
		return s.addLast(c, add)
	}
	return true
}

// addLast adds a request after which the connection is closed.
func (s *stream) addLast(c *choices, add func(int, ...string)) bool {
	switch c.n(5) {
	case 0:
		add(200, lines("GET /teams/ HTTP/1.1", "Host: a", "Connection: close"))
	case 1:
		add(200, lines("GET /teams/ HTTP/1.0"))
	case 2:
		add(417, lines("POST /nowhere HTTP/1.1", "Host: a", "Expect: 100-continue", fmt.Sprint("Content-Length: ", len(inner))), inner)
		s.strict = true
	case 3:
		add(413, lines("POST /nowhere HTTP/1.1", "Host: a", "Content-Length: 70000"), c.body())
		s.strict = true
	case 4:
		add(400, lines(c.of("GET /teams/ HTTP/1.1", "GET /teams/# HTTP/1.1"), c.of("Host: u@a", "Host: a\r\nHost: a", "Host : a", " Host: a", "X: y", "Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", "Host: a\r\nTransfer-Encoding: identity")))
		s.strict = true
	}
	return false
}

// newStream builds a stream from the choices in data.
func newStream(data []byte) *stream {
	c, s := &choices{data}, &stream{wellFormed: true}
	for range 1 + c.n(8) {
		if !s.add(c) {
			s.text += c.body() // which is not read
			break
		}
	}
	if c.n(4) == 1 {
		s.damage(c)
	}
	s.cut(c)
	return s
}

// damage changes, adds or removes bytes at a random position.
func (s *stream) damage(c *choices) {
	at := c.n(len(s.text))
	junk := c.of("\n", "\r", "\x00", " ", ":", "\r\n", "\r\n\r\n", "0", "5", "x", "\t", ";", "GET ", "#", "\xff")
	s.text = s.text[:at] + junk + s.text[min(len(s.text), at+c.n(3)):]
	if c.n(3) == 1 {
		s.text = s.text[:at]
	}
	s.wellFormed = false
}

// cut cuts a stream into packets: a few, or each byte by itself.
func (s *stream) cut(c *choices) {
	if c.n(16) == 1 {
		s.pieces = strings.Split(s.text, "")
		return
	}
	rest := s.text
	for range c.n(6) {
		at := c.n(len(rest) + 1)
		s.pieces, rest = append(s.pieces, rest[:at]), rest[at:]
	}
	s.pieces = append(s.pieces, rest)
}

// script is a connection whose client sends packets, and ends its side after them.
type script struct {
	net.Conn
	pieces []string
	sent   bytes.Buffer // by the server
}

func (s *script) Read(b []byte) (int, error) {
	for len(s.pieces) > 0 && s.pieces[0] == "" {
		s.pieces = s.pieces[1:]
	}
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.pieces[0])
	s.pieces[0] = s.pieces[0][n:]
	return n, nil
}

func (s *script) Write(b []byte) (int, error)    { return s.sent.Write(b) }
func (*script) SetDeadline(time.Time) error      { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }
func (*script) Close() error                     { return nil }
func (*script) LocalAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:80"))
}
func (*script) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:1234"))
}

// rivals are servers that must give the same answers, each with its own proxy.
type rivals struct {
	fast, slow func(net.Conn)
	reference  func(net.Conn) // fasthttp's server
	came       []func() int64 // requests that came to the handler of each
	purge      func()         // drops the entries of all
}

var theRivals = sync.OnceValues(newRivals)

func newRivals() (*rivals, error) {
	var r rivals
	proxy := func() (*Proxy, error) {
		p, err := New(Options{BasePath: "/iz/xcri", Generations: generation.Options{Pages: []string{"/teams/", "/teams/?limit=40"}}, Origin: &fakeOrigin{run: func(_ context.Context, q store.Query) (store.Answer, error) {
			size := 200 // which is kept as it is
			if limit := int(q.Int("limit")); limit%2 == 1 {
				size = 1200 + limit*60 // which is kept in codings
			}
			return store.Answer{Status: 200, Body: proxytest.List(size)}, nil
		}}})
		if err == nil {
			came := counting(p)
			r.came = append(r.came, came.Load)
			p.generations.Once(context.Background())
		}
		return p, err
	}
	fast, err := proxy()
	if err != nil {
		return nil, err
	}
	slow, err := proxy()
	if err != nil {
		return nil, err
	}
	plain, err := proxy()
	if err != nil {
		return nil, err
	}
	o := slow.wireOptions()
	o.Answer = nil
	r.fast, r.slow = fast.server.ServeConn, wire.New(o).ServeConn
	server := &fasthttp.Server{
		Handler: func(ctx *fasthttp.RequestCtx) { plain.handler(ctx) }, Name: serverName,
		ReadBufferSize: wire.MaxHead, MaxRequestBodySize: wire.MaxBody, NoDefaultContentType: true, DisablePreParseMultipartForm: true,
	}
	r.reference = func(c net.Conn) { server.ServeConn(c) }
	r.purge = func() {
		for _, p := range []*Proxy{fast, slow, plain} {
			p.cache.Purge(func(*cache.Entry) bool { return true }, true)
		}
	}
	return &r, nil
}

// compare sends a stream to all rivals and compares their answers.
func (r *rivals) compare(t *testing.T, s *stream) (received int) {
	t.Helper()
	ask := func(serve func(net.Conn)) string {
		answers, size := answersTo(serve, s.pieces)
		received += size
		return answers
	}
	fast, slow, reference := ask(r.fast), ask(r.slow), ask(r.reference)
	if fast != slow {
		t.Fatalf("%q\nis answered with\n%q\nand without the fast path with\n%q", s.pieces, fast, slow)
	}
	if !s.wellFormed {
		return received
	}
	if statuses := statusesOf(fast); fmt.Sprint(statuses) != fmt.Sprint(s.statuses) {
		t.Fatalf("%q\nis answered with %v, want %v:\n%q", s.pieces, statuses, s.statuses, fast)
	}
	// fasthttp's server parses other streams differently, which leaves other entries
	// in its cache.
	if !s.strict && asHits(fast) != asHits(reference) {
		t.Fatalf("%q\nis answered with\n%q\nand by fasthttp's server with\n%q", s.pieces, fast, reference)
	}
	return received
}

// answersTo returns the answers of a server to packets, without their times and IDs, and
// the number of bytes that the server has sent.
func answersTo(serve func(net.Conn), pieces []string) (answers string, size int) {
	c := &script{pieces: slices.Clone(pieces)}
	serve(c)
	return still(c.sent.String()), c.sent.Len()
}

// asHits rewrites the answers that were misses to the answers that hits would have got:
// the cache's status differs, and only a miss has an ID and a timing.
func asHits(answers string) string {
	all := strings.Split(answers, "HTTP/1.1 ")
	for i, answer := range all {
		if hit := strings.Replace(answer, "fwd=miss; stored; detail=miss", "hit; detail=hit", 1); hit != answer {
			hit = strings.Replace(hit, "X-Request-Id: id\r\n", "", 1)
			all[i] = strings.Replace(hit, "Server-Timing: n\r\n", "", 1)
		}
	}
	return strings.Join(all, "HTTP/1.1 ")
}

// statusesOf returns the statuses of the answers in a text. No body in these tests has
// a status line.
func statusesOf(answers string) (statuses []int) {
	for _, part := range strings.Split(answers, "HTTP/1.1 ")[1:] {
		var status int
		fmt.Sscan(part, &status)
		statuses = append(statuses, status)
	}
	return statuses
}

// TestMissesAsHits: a miss gets the same answer as the hit after it, in each server and
// for each request that the streams have, but for the headers that asHits knows.
func TestMissesAsHits(t *testing.T) {
	r, err := newRivals()
	if err != nil {
		t.Fatal(err)
	}
	headers := slices.Concat([]string{"X: y"}, hitHeaders)
	for _, coding := range hitCodings {
		headers = append(headers, "Accept-Encoding: "+coding)
	}
	for _, condition := range hitConditions {
		headers = append(headers, "If-None-Match: "+condition)
	}
	for name, serve := range map[string]func(net.Conn){"fast": r.fast, "slow": r.slow, "fasthttp": r.reference} {
		for _, method := range []string{"GET", "HEAD"} {
			for _, target := range []string{"/teams/", "/iz/xcri/api/teams/", "/teams/?limit=40", "/teams/?limit=17"} {
				for _, header := range headers {
					r.purge()
					request := lines(method+" "+target+" HTTP/1.1", "Host: a", header)
					first, _ := answersTo(serve, []string{request})
					second, _ := answersTo(serve, []string{request})
					if !strings.Contains(first, "detail=miss") {
						t.Fatalf("%s: %q is no miss:\n%q", name, request, first)
					}
					if asHits(first) != second {
						t.Errorf("%s: %q is answered with\n%q\nand then with\n%q", name, request, first, second)
					}
				}
			}
		}
	}
}

// TestStreams: with and without the fast path the server gives the same answers to
// each generated stream of requests, however it is split into packets, and to a
// well-formed stream the same answers as fasthttp's server. No bytes of a body are
// answered as a request.
func TestStreams(t *testing.T) {
	r, err := theRivals()
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.NewChaCha8([32]byte{1})
	if *streamTime > 0 {
		seed = rand.NewChaCha8([32]byte{byte(time.Now().UnixNano()), byte(time.Now().UnixNano() >> 8)})
	}
	random, data := rand.New(seed), make([]byte, 400)
	sent, received, wellFormed, streams := 0, 0, 0, 0
	for begun := time.Now(); streams < 4000 || time.Since(begun) < *streamTime; streams++ {
		seed.Read(data)
		s := newStream(data[:2+random.IntN(len(data)-2)])
		received += r.compare(t, s)
		sent += len(s.text)
		if s.wellFormed {
			wellFormed++
		}
	}
	fast, slow := r.came[0](), r.came[1]()
	t.Logf("%d streams, %d of them well-formed, %d bytes sent, %d bytes received and compared; the handler answered %d requests, and %d without the fast path", streams, wellFormed, sent, received, fast, slow)
	if fast == 0 || fast > slow*9/10 {
		t.Error("the fast path did not answer")
	}
}

// FuzzStreams is TestStreams with choices from the fuzzer.
func FuzzStreams(f *testing.F) {
	seed := rand.NewChaCha8([32]byte{2})
	for n := range 20 {
		data := make([]byte, 20*(n+1))
		seed.Read(data)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := theRivals()
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 2000 {
			return
		}
		r.compare(t, newStream(data))
	})
}
