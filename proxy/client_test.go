package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request with the target unchanged; net/http would clean it.
func ask(t testing.TB, base, method, target string, headers ...string) answer {
	t.Helper()
	conn := dial(t, base)
	defer conn.Close()
	var req strings.Builder
	req.WriteString(method + " " + target + " HTTP/1.1\r\nConnection: close\r\n")
	if !slices.Contains(headers, "Host") {
		req.WriteString("Host: localhost\r\n")
	}
	for i := 0; i < len(headers); i += 2 {
		req.WriteString(headers[i] + ": " + headers[i+1] + "\r\n")
	}
	req.WriteString("\r\n")
	if _, err := io.WriteString(conn, req.String()); err != nil {
		t.Fatal(err)
	}
	return read(t, bufio.NewReader(conn), method)
}

func dial(t testing.TB, base string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

func read(t testing.TB, from *bufio.Reader, method string) answer {
	t.Helper()
	resp, err := http.ReadResponse(from, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func get(t testing.TB, base, target string, headers ...string) answer {
	t.Helper()
	return ask(t, base, "GET", target, headers...)
}

// awayLegacy returns a client of an old API that is away.
func awayLegacy(t testing.TB) *legacy.Client {
	t.Helper()
	c, err := legacy.New(legacy.Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// outcome is the detail of an answer's Cache-Status.
func (a answer) outcome() string {
	_, detail, _ := strings.Cut(a.header.Get("Cache-Status"), "detail=")
	return detail
}

// plainBody undoes an answer's content coding.
func (a answer) plainBody(t testing.TB) string {
	t.Helper()
	return proxytest.Plain(t, a.header.Get("Content-Encoding"), strings.NewReader(a.body))
}
