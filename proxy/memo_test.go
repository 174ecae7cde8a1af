package proxy

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/store"
)

// got is what m has for text, or zero.
func got(m *memo[int], text string) int {
	if n := m.get([]byte(text)); n != nil {
		return *n
	}
	return 0
}

func put(m *memo[int], text string, value int) { m.put([]byte(text), &value) }

func TestMemo(t *testing.T) {
	m := newMemo[int](2) // all texts share two places
	check := func(text string, want int) {
		t.Helper()
		if n := got(&m, text); n != want {
			t.Errorf("%q: %d, want %d", text, n, want)
		}
	}
	check("a", 0)
	put(&m, "a", 1)
	check("a", 1)
	put(&m, "b", 2)
	check("b", 2)
	put(&m, "c", 3)
	check("c", 0) // the others were asked for
	put(&m, "c", 3)
	check("a", 0)
	check("b", 2)
	check("c", 3)
	long := strings.Repeat("x", longestMemo)
	put(&m, long+"x", 4)
	put(&m, long+"x", 4)
	check(long+"x", 0)
	check("b", 2)
	put(&m, long, 5)
	put(&m, long, 5)
	check(long, 5)
}

// TestMemoEmptyPlaces: what was put stays as long as there is an empty place, although
// nobody has asked for it yet. A long row of texts, asked for one after the other,
// would never be known otherwise.
func TestMemoEmptyPlaces(t *testing.T) {
	m := newMemo[int](2) // all texts share two places
	put(&m, "a", 1)
	put(&m, "b", 2)
	if a, b := got(&m, "a"), got(&m, "b"); a != 1 || b != 2 {
		t.Errorf("a: %d, b: %d", a, b)
	}
}

// TestMemoRoom: a memo has the room that it was made with.
func TestMemoRoom(t *testing.T) {
	for _, room := range []int{2, 3, 64, 1000} {
		m := newMemo[int](room)
		if n := 2 * len(m.pairs); n < room || n > 2*room {
			t.Errorf("room for %d, asked for %d", n, room)
		}
	}
}

// TestMemoKeepsItsOwn: the bytes of a text may change once it is put.
func TestMemoKeepsItsOwn(t *testing.T) {
	m := newMemo[int](8)
	text := []byte("before")
	one := 1
	m.put(text, &one)
	copy(text, "after!")
	if got(&m, "before") != 1 || got(&m, "after!") != 0 {
		t.Error("the text changed")
	}
}

func TestMemoAtOnce(t *testing.T) {
	m := newMemo[int](4)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 2000 {
				n := (i*7+g)%16 + 1
				text := fmt.Sprint("text ", n)
				if known := got(&m, text); known != 0 && known != n {
					t.Errorf("%q: %d", text, known)
				}
				m.put([]byte(text), &n)
			}
		})
	}
	all.Wait()
}

// wire is an answer as it is sent.
func wire(p *Proxy, method, target string, headers ...string) string {
	ctx := requestCtx(method, target, headers...)
	p.handle(ctx)
	var b bytes.Buffer
	ctx.Response.Header.SetContentLength(len(ctx.Response.Body()))
	b.Write(ctx.Response.Header.Header())
	b.Write(ctx.Response.Body())
	return clocks.ReplaceAllString(b.String(), "")
}

// clocks are the header lines that another second changes.
var clocks = regexp.MustCompile("(Date|Age): .*\r\n")

// TestKnownTarget: an answer is the same whether or not its target is known.
func TestKnownTarget(t *testing.T) {
	for name, headers := range map[string][]string{
		"plain": nil, "coded": {"Accept-Encoding", "gzip, br"}, "304": {"If-None-Match", "*"},
		"another site": {"Origin", "https://web4.ustfccca.org", "Accept-Encoding", "gzip"},
		"preflight":    {"Origin", "https://web4.ustfccca.org", "Access-Control-Request-Method", "GET"},
	} {
		t.Run(name, func(t *testing.T) {
			p := benchProxy(t, 900)
			p.cors = newCORS([]string{"https://web4.ustfccca.org"})
			for _, uri := range []string{siteTarget, "/api/teams/?search=St%20Mary&gender=m", "/athletes/12345?season_year=2025&unknown=x", "http://a/teams/"} {
				wire(p, "GET", uri) // fills
				for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
					p.targets = newMemo[target](knownTargets)
					unknown := wire(p, method, uri, headers...)
					wire(p, "GET", uri)
					if p.targets.get([]byte(uri)) == nil {
						t.Fatalf("%s is not known", uri)
					}
					if known := wire(p, method, uri, headers...); known != unknown {
						t.Errorf("%s %s:\n%s\nand once it is known:\n%s", method, uri, unknown, known)
					}
				}
			}
		})
	}
}

// TestKnownTargetOfNothing: what is known of a target says nothing about its
// answer, which may be gone, or fail.
func TestKnownTargetOfNothing(t *testing.T) {
	body, err := "before", error(nil)
	p, _ := New(Options{Pages: []string{}, CORSOrigins: []string{"*"}, Origin: &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) {
		return store.Answer{Status: 200, Body: []byte(body)}, err
	}}})
	p.generations.Once(t.Context())
	const uri = "/teams/"
	for range 2 {
		wire(p, "GET", uri)
	}
	known := p.targets.get([]byte(uri))
	other := &target{route: known.route, ref: cache.Ref{Key: known.ref.Key + "?limit=1"}}
	p.targets.put([]byte("/elsewhere"), other)

	err = store.ErrTimeout
	failed := wire(p, "GET", "/elsewhere", "Origin", "https://a")
	for _, want := range []string{"HTTP/1.1 504", "X-Frame-Options: DENY", "Access-Control-Allow-Origin: https://a", "Cache-Control: no-store", "Content-Type: application/json"} {
		if !strings.Contains(failed, want) {
			t.Errorf("no %q in:\n%s", want, failed)
		}
	}
	body, err = "after", nil
	if a := wire(p, "GET", "/elsewhere"); !strings.HasSuffix(a, "after") || !strings.Contains(a, "detail=miss") {
		t.Errorf("after the failure:\n%s", a)
	}
	if a := wire(p, "GET", uri); !strings.HasSuffix(a, "before") {
		t.Errorf("the other answer:\n%s", a)
	}
}

// TestOnlyHitsAreKnown: who asks for what is not there, or for nonsense, makes
// no target known.
func TestOnlyHitsAreKnown(t *testing.T) {
	p := benchProxy(t, 900)
	for uri, times := range map[string]int{"/teams/": 1, "/teams/?limit=x": 3, "/nowhere": 3, "/": 3, "/health": 3, "/livez": 3, "/cache/stats": 3} {
		for range times {
			wire(p, "GET", uri)
		}
		if p.targets.get([]byte(uri)) != nil {
			t.Errorf("%s is known", uri)
		}
	}
}
