// Package proxytest holds helpers that the tests of several packages share.
package proxytest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/lewistv/xcri-proxy/proxy/legacy"
)

// Log keeps all that is written to it. It is safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *Log) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Count returns how often part was written.
func (l *Log) Count(part string) int { return strings.Count(l.String(), part) }

// Logger returns a logger that writes lines of text to l.
func (l *Log) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// OldAPI returns a client of an old API whose answers handler writes, until the test ends.
func OldAPI(t testing.TB, handler http.HandlerFunc) *legacy.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	client, err := legacy.New(legacy.Options{URL: server.URL, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return client
}

// Pair returns the two ends of a TCP connection, which are closed when the test ends.
func Pair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

// List returns a body of at least size bytes that compresses like a list of the read API.
func List(size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"total":1,"results":[`)
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, `{"ranking_id":%d,"season_year":2025,"gender_code":"M","athlete_name_last":"O'Brien","xcri_score":%d.%d},`, i*7919, i%1000, i%97)
	}
	b.WriteString(`{}]}`)
	return b.Bytes()
}

// Plain reads a body and undoes its content coding; an empty coding is none.
func Plain(t testing.TB, coding string, body io.Reader) string {
	t.Helper()
	var err error
	switch coding {
	case "":
	case "gzip":
		body, err = gzip.NewReader(body)
	case "br":
		body = brotli.NewReader(body)
	case "zstd":
		body, err = zstd.NewReader(body)
	default:
		t.Fatalf("Content-Encoding %q", coding)
	}
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}
