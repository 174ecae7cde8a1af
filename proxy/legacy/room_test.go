package legacy

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/budget"
)

func gzipped(t testing.TB, parts ...io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if _, err := io.Copy(z, io.MultiReader(parts...)); err != nil {
		t.Fatal(err)
	}
	z.Close()
	return b.Bytes()
}

// repeated is a reader of n copies of a text.
func repeated(text string, n int) io.Reader {
	readers := make([]io.Reader, n)
	for i := range readers {
		readers[i] = strings.NewReader(text)
	}
	return io.MultiReader(readers...)
}

// Forwarded answers share a budget. An answer that does not fit is rejected, and its
// room is released after the answer was sent.
func TestForwardRoom(t *testing.T) {
	body := strings.Repeat("x", 100<<10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush()
		} else {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		}
		io.WriteString(w, body)
	}))
	defer s.Close()
	room := budget.New(400 << 10)
	c := newClient(t, s.URL, Options{Room: room})
	for target, want := range map[string]int{"/known": 3, "/chunked": 2} { // a buffer of 124 KiB
		var mu sync.Mutex
		passed := 0
		var release []func()
		for range 8 {
			ctx := visit("GET", target)
			switch err := c.Forward(ctx, at(target)); {
			case err == nil && string(ctx.Response.Body()) == body:
				mu.Lock()
				passed++
				mu.Unlock()
			case !errors.Is(err, ErrRoom) || !errors.Is(err, ErrUnavailable):
				t.Errorf("%s: %v", target, err)
			}
			release = append(release, ctx.ResetUserValues)
		}
		if passed != want {
			t.Errorf("%s: %d passed, want %d; %+v", target, passed, want, room.Stats())
		}
		for _, done := range release {
			done()
		}
		if used := room.Stats().Used; used != 0 {
			t.Errorf("%s: %d bytes are left", target, used)
		}
	}
}

// Answers that are fetched for the cache share a budget while they are read, with a
// length or in chunks, and give it back. An answer that has no room is not read on.
func TestFetchRoom(t *testing.T) {
	const limit = 400 << 10
	for name, tt := range map[string]struct {
		size    int
		chunked bool
		want    error
	}{
		"small": {1 << 10, false, nil}, "small, in chunks": {1 << 10, true, nil}, "large": {250 << 10, false, nil}, "large, in chunks": {100 << 10, true, nil},
		"too large": {limit, false, ErrRoom}, "too large, in chunks": {limit, true, ErrRoom}, "endless": {64 << 20, true, ErrRoom},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if !tt.chunked {
				w.Header().Set("Content-Length", fmt.Sprint(tt.size))
			}
			io.WriteString(w, "0"+strings.Repeat(" ", 1<<10-1))
			for range tt.size>>10 - 1 {
				if _, err := io.WriteString(w, strings.Repeat(" ", 1<<10)); err != nil {
					return
				}
			}
		}))
		fetched := budget.New(limit)
		c := newClient(t, server.URL, Options{Fetched: fetched})
		for range 3 {
			a, err := c.Fetch(t.Context(), "/x")
			if !errors.Is(err, tt.want) || err == nil && len(a.Body) != tt.size {
				t.Errorf("%s: %d bytes, %v, want %v", name, len(a.Body), err, tt.want)
			}
			if used := fetched.Stats().Used; used != 0 {
				t.Errorf("%s: %d bytes are still in use", name, used)
			}
		}
		server.Close()
	}
}
