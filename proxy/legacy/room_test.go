package legacy

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
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

// A compressed body is checked in pieces: it is passed on if it is complete and
// contains one JSON text. The check takes little memory for any inflated size.
func TestCheckCompressed(t *testing.T) {
	piece := strings.Repeat("x", 1<<20)
	rows := strings.Repeat(`{"a":[1,2.5e3,"b",null,true]},`, 1<<15)
	for name, tt := range map[string]struct {
		body []byte
		json bool
		want string // part of the error
	}{
		"JSON":               {gzipped(t, strings.NewReader(`{"a":[1,{"b":"c"}],"d":1e999}`)), true, ""},
		"long JSON":          {gzipped(t, strings.NewReader("["), repeated(rows, 20), strings.NewReader("1]")), true, ""},
		"a number":           {gzipped(t, strings.NewReader(" 1 ")), true, ""},
		"no JSON":            {gzipped(t, strings.NewReader("<html>")), true, "not JSON"},
		"nothing":            {gzipped(t), true, "not JSON"},
		"half a JSON text":   {gzipped(t, strings.NewReader(`{"a":[1`)), true, "not JSON"},
		"two JSON texts":     {gzipped(t, strings.NewReader(`{} {}`)), true, "not JSON"},
		"deep":               {gzipped(t, repeated("[", 20_000), repeated("]", 20_000)), true, "not JSON"},
		"a page":             {gzipped(t, strings.NewReader("<html>")), false, ""},
		"cut":                {gzipped(t, strings.NewReader(rows))[:500], false, "compressed body"},
		"cut JSON":           {gzipped(t, strings.NewReader("["), repeated(rows, 2))[:500], true, "compressed body"},
		"no gzip":            {[]byte("<html>"), false, "compressed body"},
		"a bomb":             {gzipped(t, repeated(piece, 40)), false, "more than"},
		"a bomb in a text":   {gzipped(t, strings.NewReader(`"`), repeated(piece, 40)), true, "more than"},
		"a bomb of brackets": {gzipped(t, repeated(strings.Repeat("[", 1<<20), 30)), true, "not JSON"},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		err := checkCompressed(tt.body, tt.json)
		runtime.ReadMemStats(&after)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if strings.HasPrefix(name, "a bomb") && after.TotalAlloc-before.TotalAlloc > 32<<20 {
			t.Errorf("%s: %d bytes were taken", name, after.TotalAlloc-before.TotalAlloc)
		}
	}
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
