package proxy

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/store"
)

const listTarget = "/athletes/?season_year=2025&limit=50000"

// TestVariants: every variant of an answer holds the same body, has its own ETag, and
// is encoded once.
func TestVariants(t *testing.T) {
	p, base := start(t, realOptions(t))
	before := p.cache.Stats().Fills
	want := get(t, base, listTarget)
	if want.header.Get("Content-Encoding") != "" || len(want.body) < content.LargeBody {
		t.Fatalf("identity: %d bytes, coding %q", len(want.body), want.header.Get("Content-Encoding"))
	}
	etags := map[string]string{want.header.Get("Etag"): "identity"}
	for _, target := range []string{listTarget, "/athletes/?season_year=2025&limit=10", "/athletes/12002064?season_year=2025"} {
		plain := get(t, base, target)
		for _, accept := range []string{"gzip", "br", "zstd", "gzip, deflate, br, zstd", "br;q=0.1, gzip"} {
			a := get(t, base, target, "Accept-Encoding", accept)
			if a.status != 200 || a.plainBody(t) != plain.body {
				t.Errorf("%s as %s: %d, another body", target, accept, a.status)
			}
			coding := a.header.Get("Content-Encoding")
			if len(plain.body) > content.CompressAbove == (coding == "") && strings.Contains(accept, "gzip") {
				t.Errorf("%s as %s: %d bytes as %q", target, accept, len(plain.body), coding)
			}
			tag := a.header.Get("Etag")
			if other, seen := etags[tag]; seen && other != coding+target && coding != "" {
				t.Errorf("%s as %s: ETag %s equals the ETag of %s", target, accept, tag, other)
			}
			etags[tag] = coding + target
			if a.header.Get("Content-Length") != strconv.Itoa(len(a.body)) {
				t.Errorf("Content-Length %s of %d", a.header.Get("Content-Length"), len(a.body))
			}
		}
	}
	if fills := p.cache.Stats().Fills - before; fills != 3 {
		t.Errorf("%d fills for 3 answers", fills)
	}
}

func TestHeaders(t *testing.T) {
	opts := realOptions(t)
	opts.Reuse = reply.Reuse{MaxAge: 42 * time.Second, StaleWhileRevalidate: 7 * time.Minute}
	_, base := start(t, opts)
	for i, want := range []string{"miss", "hit", "hit"} {
		a := get(t, base, "/teams/")
		if a.outcome() != want {
			t.Errorf("request %d: Cache-Status %q, want %s", i, a.header.Get("Cache-Status"), want)
		}
		for name, want := range map[string]string{
			"Content-Type":           "application/json",
			"Cache-Control":          "public, max-age=42, stale-while-revalidate=420",
			"Vary":                   "Accept-Encoding, Origin",
			"X-Content-Type-Options": "nosniff",
			"X-Frame-Options":        "DENY",
			"Age":                    "0",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	for target, status := range map[string]int{"/teams/?limit=x": 422, "/nowhere": 404} {
		a := get(t, base, target)
		if a.status != status || a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", target, a.status, a.header)
		}
	}
	a := get(t, base, "/teams/99999")
	if a.status != 404 || a.header.Get("Cache-Control") == "no-store" || a.outcome() != "miss" {
		t.Errorf("a 404 is not stored: %d %v", a.status, a.header)
	}
	if a := get(t, base, "/teams/99999"); a.outcome() != "hit" {
		t.Errorf("a 404 is not kept: %s", a.outcome())
	}
}

// TestSharedEntries: equivalent spellings of a request are hits on the same entry.
func TestSharedEntries(t *testing.T) {
	_, base := start(t, realOptions(t))
	first := get(t, base, "/athletes/?season_year=2025&division=2030&gender=M&limit=5")
	if first.outcome() != "miss" {
		t.Fatal(first.outcome())
	}
	for _, target := range []string{
		"/athletes/?limit=5&gender=M&division=2030&season_year=2025",
		"/athletes?season_year=2025&division=2030&gender=m&limit=5",
		"/iz/xcri/api/athletes/?season_year=2025&division=2030&gender=M&limit=5&offset=0&scoring_group=division&algorithm_type=light",
		"/athletes/?utm=1&season_year=2025&division=2030.0&gender=M&limit=%205&search2=x",
		"http://other.example/athletes/?season_year=2025&division=2030&gender=M&limit=9&limit=5",
	} {
		if a := get(t, base, target); a.outcome() != "hit" || a.body != first.body {
			t.Errorf("%s: %s", target, a.outcome())
		}
	}
}

func TestNotModified(t *testing.T) {
	p, base := start(t, realOptions(t))
	get(t, base, listTarget)
	key, _ := keyOf(p, listTarget)
	forms := func() (codings string) {
		for _, v := range p.cache.Peek(&cache.Ref{Key: key}).Entry.Variants {
			codings += v.Coding + " "
		}
		return codings
	}
	for _, coding := range []string{"", "gzip", "zstd"} {
		var wrong []string
		for before := ""; before != forms(); { // again if the list was recoded meanwhile, which happens once
			before = forms()
			wrong = notModifiedProblems(t, base, coding)
		}
		for _, problem := range wrong {
			t.Errorf("Accept-Encoding %q: %s", coding, problem)
		}
	}
	if a := get(t, base, "/teams/99999", "If-None-Match", "*"); a.status != 404 {
		t.Errorf("a 404 is not matched: %d", a.status)
	}
}

// notModifiedProblems requests the list with every kind of If-None-Match and returns
// the wrong answers.
func notModifiedProblems(t *testing.T, base, coding string) (problems []string) {
	t.Helper()
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	full := get(t, base, listTarget, "Accept-Encoding", coding)
	tag := full.header.Get("Etag")
	for _, match := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		for _, method := range []string{"GET", "HEAD"} {
			a := ask(t, base, method, listTarget, "Accept-Encoding", coding, "If-None-Match", match)
			if a.status != 304 || a.body != "" {
				problem("%s If-None-Match %s: %d with %d bytes", method, match, a.status, len(a.body))
			}
			for _, name := range []string{"Cache-Control", "Vary", "Cache-Status"} {
				if a.header.Get(name) == "" {
					problem("a 304 without %s", name)
				}
			}
			if match != "*" && a.header.Get("Etag") != tag {
				problem("304 with ETag %s, want %s", a.header.Get("Etag"), tag)
			}
		}
	}
	if a := get(t, base, listTarget, "Accept-Encoding", coding, "If-None-Match", `"other"`); a.status != 200 || a.body != full.body {
		problem("another ETag: %d", a.status)
	}
	return problems
}

// TestETagSurvivesAFill: an ETag depends on the body, not on the time of the fill.
func TestETagSurvivesAFill(t *testing.T) {
	_, one := start(t, realOptions(t))
	_, two := start(t, realOptions(t))
	for _, target := range []string{listTarget, "/teams/20021"} {
		if a, b := get(t, one, target), get(t, two, target); a.header.Get("Etag") != b.header.Get("Etag") {
			t.Errorf("%s: %s and %s", target, a.header.Get("Etag"), b.header.Get("Etag"))
		}
	}
}

func TestAge(t *testing.T) {
	// The origin made the answer 90 s ago.
	p, base := start(t, Options{Origin: &fakeOrigin{}})
	get(t, base, "/teams/")
	e, _, err := p.cache.Get(&cache.Ref{Key: "/teams/"})
	if err != nil {
		t.Fatal(err)
	}
	aged := *e
	aged.Filled = time.Now().Add(-90 * time.Second)
	// The age of a hit counts from the last poll of the database; any other age counts
	// from the fill.
	for outcome, want := range map[cache.Outcome]string{cache.Hit: "0", cache.Stale: "90", cache.StaleError: "90"} {
		ctx := requestCtx("GET", "/teams/")
		p.respond(ctx, &aged, outcome)
		if age := string(ctx.Response.Header.Peek("Age")); age != want {
			t.Errorf("%v: Age %s, want %s", outcome, age, want)
		}
	}
}

// TestOriginErrors: an error of the origin is reported with its own status and
// no-store, and the next request loads again.
func TestOriginErrors(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		retry  string
	}{
		{store.ErrUnavailable, 503, "5"}, {store.ErrSetup, 503, "5"}, {store.ErrTimeout, 504, "5"},
		{store.ErrInterrupted, 503, "1"}, {store.ErrBusy, 503, "2"},
		{context.DeadlineExceeded, 504, "5"}, {context.Canceled, 503, "5"}, {errUnknown, 500, ""},
	} {
		asked := 0
		_, base := start(t, Options{Origin: &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) {
			asked++
			return store.Answer{}, wrapped{tt.err}
		}}})
		for n := range 2 {
			a := get(t, base, "/teams/")
			if a.status != tt.status || a.header.Get("Retry-After") != tt.retry || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%v: %d, %v", tt.err, a.status, a.header)
			}
			if strings.Contains(a.body, "secret detail") || !strings.HasPrefix(a.body, `{"detail":"`) || a.outcome() != "error" {
				t.Errorf("%v: %s %s", tt.err, a.body, a.outcome())
			}
			// During an outage requests are refused immediately until a poll succeeds.
			if asked != n+1 && tt.err != store.ErrUnavailable {
				t.Errorf("%v: asked %d times, want %d", tt.err, asked, n+1)
			}
		}
	}
}

type wrapped struct{ error }

func (w wrapped) Error() string { return "secret detail: " + w.error.Error() }
func (w wrapped) Unwrap() error { return w.error }

var errUnknown = strconv.ErrRange

// TestBrotliFollows: a complete list is first sent in a quickly made coding, and in
// brotli as soon as the recoding is done. An ETag of the first variant still
// validates.
func TestBrotliFollows(t *testing.T) {
	p, base := start(t, realOptions(t))
	before := p.cache.Stats().Fills
	const browser = "gzip, deflate, br, zstd"
	first := get(t, base, listTarget, "Accept-Encoding", browser)
	if coding := first.header.Get("Content-Encoding"); coding != "gzip" {
		t.Fatalf("first in %q", coding)
	}
	plain := get(t, base, listTarget).body
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		a := get(t, base, listTarget, "Accept-Encoding", browser)
		if a.plainBody(t) != plain {
			t.Fatalf("another body as %s", a.header.Get("Content-Encoding"))
		}
		if a.header.Get("Content-Encoding") == "br" {
			if len(a.body) >= len(first.body) {
				t.Errorf("brotli takes %d bytes, gzip %d", len(a.body), len(first.body))
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("never in brotli")
		}
	}
	a := get(t, base, listTarget, "Accept-Encoding", browser, "If-None-Match", first.header.Get("Etag"))
	if a.status != 304 {
		t.Errorf("a copy in gzip: %d", a.status)
	}
	if fills := p.cache.Stats().Fills - before; fills != 1 {
		t.Errorf("%d fills", fills)
	}
}

// TestOutageIsLoggedOnce: an outage that refuses thousands of requests is logged in
// one line.
func TestOutageIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	p, err := New(Options{Origin: &fakeOrigin{}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	p.outage.Down(store.ErrUnavailable)
	for range 100 {
		ctx := requestCtx("GET", "/teams/")
		if p.handle(ctx); ctx.Response.StatusCode() != 503 {
			t.Fatal(ctx.Response.StatusCode())
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines:\n%.600s", n, log.String())
	}
}
