package proxy

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/cors"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/store"
)

// sent returns an answer in the form in which it is sent.
func sent(p *Proxy, method, target string, headers ...string) string {
	ctx := requestCtx(method, target, headers...)
	p.handle(ctx)
	var b bytes.Buffer
	ctx.Response.Header.SetContentLength(len(ctx.Response.Body()))
	b.Write(ctx.Response.Header.Header())
	b.Write(ctx.Response.Body())
	answer := theID.ReplaceAllString(b.String(), "\r\nX-Request-Id: id")
	return clocks.ReplaceAllString(answer, "")
}

// clocks matches the header lines that change from second to second.
var clocks = regexp.MustCompile("(Date|Age): .*\r\n")

// TestKnownTarget: an answer is the same whether or not its target is memoized.
func TestKnownTarget(t *testing.T) {
	for name, headers := range map[string][]string{
		"plain": nil, "coded": {"Accept-Encoding", "gzip, br"}, "304": {"If-None-Match", "*"},
		"another site": {"Origin", "https://web4.ustfccca.org", "Accept-Encoding", "gzip"},
		"preflight":    {"Origin", "https://web4.ustfccca.org", "Access-Control-Request-Method", "GET"},
	} {
		t.Run(name, func(t *testing.T) {
			p := benchProxy(t, 900)
			p.cors = cors.New([]string{"https://web4.ustfccca.org"})
			for _, uri := range []string{siteTarget, "/api/teams/?search=St%20Mary&gender=m", "/athletes/12345?season_year=2025&unknown=x", "http://a/teams/"} {
				sent(p, "GET", uri) // fills
				for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
					p.targets = content.NewMemo[target](knownTargets)
					unknown := sent(p, method, uri, headers...)
					sent(p, "GET", uri)
					if p.targets.Get([]byte(uri)) == nil {
						t.Fatalf("%s is not known", uri)
					}
					if known := sent(p, method, uri, headers...); known != unknown {
						t.Errorf("%s %s:\n%s\nand once it is known:\n%s", method, uri, unknown, known)
					}
				}
			}
		})
	}
}

// TestKnownTargetWithoutAnEntry: a memoized target does not imply an answer. Its entry may
// be gone, or its fill may fail.
func TestKnownTargetWithoutAnEntry(t *testing.T) {
	body, err := "before", error(nil)
	p, _ := New(Options{Generations: generation.Options{Pages: []string{}}, CORSOrigins: []string{"*"}, Origin: &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) {
		return store.Answer{Status: 200, Body: []byte(body)}, err
	}}})
	p.generations.Once(t.Context())
	const uri = "/teams/"
	for range 2 {
		sent(p, "GET", uri)
	}
	known := p.targets.Get([]byte(uri))
	other := &target{route: known.route, ref: cache.Ref{Key: known.ref.Key + "?limit=1"}}
	p.targets.Put([]byte("/elsewhere"), other)

	err = store.ErrTimeout
	failed := sent(p, "GET", "/elsewhere", "Origin", "https://a")
	for _, want := range []string{"HTTP/1.1 504", "X-Frame-Options: DENY", "Access-Control-Allow-Origin: https://a", "Cache-Control: no-store", "Content-Type: application/json"} {
		if !strings.Contains(failed, want) {
			t.Errorf("no %q in:\n%s", want, failed)
		}
	}
	body, err = "after", nil
	if a := sent(p, "GET", "/elsewhere"); !strings.HasSuffix(a, "after") || !strings.Contains(a, "detail=miss") {
		t.Errorf("after the failure:\n%s", a)
	}
	if a := sent(p, "GET", uri); !strings.HasSuffix(a, "before") {
		t.Errorf("the other answer:\n%s", a)
	}
}

// TestOnlyHitsAreKnown: requests for missing rows and malformed requests memoize no
// target.
func TestOnlyHitsAreKnown(t *testing.T) {
	p := benchProxy(t, 900)
	for uri, times := range map[string]int{"/teams/": 1, "/teams/?limit=x": 3, "/nowhere": 3, "/": 3, "/health": 3, "/livez": 3, "/cache/stats": 3} {
		for range times {
			sent(p, "GET", uri)
		}
		if p.targets.Get([]byte(uri)) != nil {
			t.Errorf("%s is known", uri)
		}
	}
}
