package front

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/store"
)

// fake is a cache in front that records the purges.
type fake struct {
	mu    sync.Mutex
	fails func(n int) bool // whether request n, from 1, fails; nil means never
	began time.Time
	n     int
	got   []sent
	gate  chan struct{} // a value lets a request through; nil lets all
}

type sent struct {
	at     time.Duration
	tags   []string
	header http.Header
	body   string
}

func (f *fake) RoundTrip(req *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(req.Body)
	if f.gate != nil {
		select {
		case <-f.gate:
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	if f.fails != nil && f.fails(f.n) {
		return nil, fmt.Errorf("no way to %s", "there")
	}
	f.got = append(f.got, sent{time.Since(f.began), strings.Fields(req.Header.Get("xkey-purge")), req.Header, string(body)})
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("ok"))}, nil
}

// take returns the purges since the last call.
func (f *fake) take() (got []sent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	got, f.got = f.got, nil
	return got
}

// opened runs a Purger of the fake while test runs in a bubble.
func opened(t *testing.T, f *fake, opts Options, test func(p *Purger)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f.began = time.Now()
		if opts.URLs == nil {
			opts.URLs = []string{"http://front.example/"}
		}
		opts.Client = &http.Client{Transport: f, CheckRedirect: newClient().CheckRedirect}
		p, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		defer running(p)()
		test(p)
	})
}

// running runs a Purger, and returns a function that ends it.
func running(p *Purger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { p.Run(ctx) })
	return func() {
		cancel()
		all.Wait()
	}
}

// TestRounds: a purge is sent immediately and repeated for answers that were under way.
func TestRounds(t *testing.T) {
	f := &fake{}
	opened(t, f, Options{}, func(p *Purger) {
		p.Purge("a", "b")
		time.Sleep(time.Hour)
		var at []time.Duration
		for _, s := range f.take() {
			if at = append(at, s.at); !slices.Equal(s.tags, []string{"a", "b"}) {
				t.Errorf("purged %v", s.tags)
			}
		}
		if want := []time.Duration{0, 400 * time.Millisecond, 4400 * time.Millisecond}; !slices.Equal(at, want) {
			t.Errorf("sent after %v, want %v", at, want)
		}
		if s := p.Stats()[0]; s.Pending != 0 || s.Requests != 3 || s.Tags != 6 || s.Failures != 0 || s.Name != "front.example" {
			t.Errorf("%+v", s)
		}
	})
}

// TestRetries: a failed purge is repeated until it succeeds, and its failure is reported
// once.
func TestRetries(t *testing.T) {
	var reports []string
	var log bytes.Buffer
	f := &fake{fails: func(n int) bool { return n <= 20 }}
	opts := Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), OnFailure: func(name string, err error) { reports = append(reports, fmt.Sprint(name, " ", err)) }}
	opened(t, f, opts, func(p *Purger) {
		p.Purge("a")
		time.Sleep(30 * time.Second)
		since := p.Stats()[0]
		if since.Pending != 1 || time.Since(since.Since) != 30*time.Second || since.Error == "" || since.Requests != 0 || since.Failures < 5 || since.Failures > 15 {
			t.Errorf("while it fails: %+v", since)
		}
		p.Purge("b")
		time.Sleep(time.Hour)
		if s := p.Stats()[0]; s.Pending != 0 || s.Error != "" || s.Failures != 20 || s.Requests != 3 || s.FailedAt.IsZero() {
			t.Errorf("afterwards: %+v", s)
		}
		if first := f.take()[0]; !slices.Equal(first.tags, []string{"a", "b"}) {
			t.Errorf("%v", first)
		}
		if want := []string{"front.example no way to there", "front.example <nil>"}; !slices.Equal(reports, want) {
			t.Errorf("reported %q", reports)
		}
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("%d lines of log:\n%s", n, log.String())
		}
	})
}

// TestAgain: a tag that is requested while its purge is under way is purged again.
func TestAgain(t *testing.T) {
	f := &fake{}
	opened(t, f, Options{}, func(p *Purger) {
		f.gate = make(chan struct{}) // of this bubble
		p.Purge("a")
		synctest.Wait()
		p.Purge("a")
		f.gate <- struct{}{}
		synctest.Wait()
		if s := p.Stats()[0]; s.Pending != 1 || s.Requests != 1 {
			t.Errorf("%+v", s)
		}
		close(f.gate)
		time.Sleep(time.Hour)
		if n := len(f.take()); n != 1+1+len(rounds) {
			t.Errorf("%d purges", n)
		}
	})
}

// TestBounds: a request has a bounded number of tags, and so has the queue.
func TestBounds(t *testing.T) {
	f := &fake{fails: func(n int) bool { return n == 1 }}
	opened(t, f, Options{}, func(p *Purger) {
		var tags []string
		for i := range maxPending {
			tags = append(tags, fmt.Sprintf("t%03d", i))
		}
		p.Purge(tags...)
		time.Sleep(time.Hour)
		seen := map[string]int{}
		for _, s := range f.take() {
			if len(s.tags) > batch {
				t.Errorf("%d tags", len(s.tags))
			}
			for _, tag := range s.tags {
				seen[tag]++
			}
		}
		for _, tag := range tags {
			if seen[tag] != 1+len(rounds) {
				t.Fatalf("%s: %d times", tag, seen[tag])
			}
		}
		p.Purge(append(tags, "one more")...)
		time.Sleep(time.Hour)
		if s := p.Stats()[0]; s.Widened != 1 || s.Pending != 0 {
			t.Errorf("%+v", s)
		}
		all := f.take()
		for _, s := range all {
			if !slices.Equal(s.tags, []string{All}) {
				t.Errorf("%v", s.tags)
			}
		}
		if len(all) != 1+len(rounds) {
			t.Errorf("%d purges", len(all))
		}
	})
}

// TestAllCovers: the tag of all answers takes the place of others, which wait since the
// same time.
func TestAllCovers(t *testing.T) {
	f := &fake{fails: func(n int) bool { return n == 1 }}
	opened(t, f, Options{}, func(p *Purger) {
		p.Purge("a", "b")
		synctest.Wait() // it has failed
		time.Sleep(time.Millisecond)
		p.Purge("c", All)
		if s := p.Stats()[0]; s.Pending != 1 || time.Since(s.Since) != time.Millisecond {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Hour)
		for _, s := range f.take() {
			if !slices.Equal(s.tags, []string{All}) {
				t.Errorf("%v", s.tags)
			}
		}
	})
}

// TestEachFront: a cache in front that hangs does not delay another.
func TestEachFront(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, fast := &fake{gate: make(chan struct{})}, &fake{}
		both := roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.URL.Host == "slow" {
				return slow.RoundTrip(req)
			}
			return fast.RoundTrip(req)
		})
		p, err := New(Options{URLs: []string{"http://slow/", "http://fast/x/"}, Client: &http.Client{Transport: both}})
		if err != nil {
			t.Fatal(err)
		}
		defer running(p)()
		p.Purge("a")
		time.Sleep(time.Minute)
		all := p.Stats()
		if all[0].Pending != 1 || all[0].Failures == 0 || all[1].Pending != 0 || all[1].Requests != 3 || all[1].Name != "fast/x" {
			t.Errorf("%+v", all)
		}
		if !strings.Contains(all[0].Error, "deadline") {
			t.Errorf("a hanging cache: %q", all[0].Error)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestTemplate: the request follows the template, with the token.
func TestTemplate(t *testing.T) {
	f := &fake{}
	opts := Options{Request: Request{
		Method: "POST", Header: []string{"Authorization: Bearer {token}", "xkey-purge: {tags}", "Content-Type: application/json", "Host: api.example"},
		Body: `{"tags":[{tags_json}],"list":"{tags_comma}"}`, Token: "s3cr3t{tags}",
	}}
	opened(t, f, opts, func(p *Purger) {
		p.Purge("a", `b"`)
		synctest.Wait()
		got := f.take()[0]
		if got.body != `{"tags":["a","b\""],"list":"a,b""}` || got.header.Get("Authorization") != "Bearer s3cr3t{tags}" || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%+v", got)
		}
	})
}

// TestSecretsStayHidden: neither errors nor figures show the URL's query or the token.
func TestSecretsStayHidden(t *testing.T) {
	for name, failure := range map[string]roundTripper{
		"no answer": func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") },
		"a redirect": func(*http.Request) (*http.Response, error) {
			return answer(302, "Location", "http://elsewhere/s3cr3t"), nil
		},
		"a refusal": func(*http.Request) (*http.Response, error) { return answer(403, "X", "s3cr3t"), nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				client := newClient()
				client.Transport = failure
				p, err := New(Options{
					URLs: []string{"http://front.example/purge?key=s3cr3t"}, Client: client, Logger: slog.New(slog.NewTextHandler(&log, nil)),
					Request: Request{Header: []string{"Key: {token}", DefaultHeader}, Token: "s3cr3t"},
				})
				if err != nil {
					t.Fatal(err)
				}
				defer running(p)()
				p.Purge("a")
				time.Sleep(time.Second)
				s := p.Stats()[0]
				if s.Failures == 0 || s.Error == "" {
					t.Errorf("no failure: %+v", s)
				}
				if all := fmt.Sprintf("%+v %s", s, log.String()); strings.Contains(all, "s3cr3t") || !strings.Contains(all, "front.example/purge") {
					t.Error(all)
				}
			})
		})
	}
}

func answer(status int, field, value string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{field: {value}}, Body: io.NopCloser(strings.NewReader("s3cr3t"))}
}

// TestNew refuses templates that no request can be made of, without their secrets.
func TestNew(t *testing.T) {
	for name, opts := range map[string]Options{
		"no URL":      {},
		"no host":     {URLs: []string{"/s3cr3t"}},
		"no URL form": {URLs: []string{"http://a b/s3cr3t"}},
		"no colon":    {URLs: []string{"http://a/"}, Request: Request{Header: []string{"x"}}},
		"method":      {URLs: []string{"http://a/"}, Request: Request{Method: "A B"}},
	} {
		if _, err := New(opts); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", name, err)
		}
	}
	several, err := New(Options{URLs: []string{"http://a/", "https://a/", "http://b", "http://a/?x"}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range several.Stats() {
		names = append(names, one.Name)
	}
	if want := []string{"a", "a (2)", "b", "a (3)"}; !slices.Equal(names, want) { // each has metrics of its own
		t.Errorf("%q, want %q", names, want)
	}
	var none *Purger
	none.Purge("a")
	none.Run(context.Background())
	if none.Stats() != nil {
		t.Error("figures of nothing")
	}
	if bare(&url.Error{URL: "http://x", Err: io.EOF}) != io.EOF || bare(io.EOF) != io.EOF {
		t.Error("bare")
	}
}

// TestScopes: a changed scope has the tags of the scopes that overlap it, for all
// scopes that an answer may have.
func TestScopes(t *testing.T) {
	fields := func(values ...string) []string { return append(values, "") }
	var every []store.Scope
	for _, season := range fields("2024", "2025") {
		for _, division := range fields("2030", "2031") {
			for _, gender := range fields("M", "F") {
				for _, checkpoint := range fields(store.Live, "dated", "2025-10-27", "2025-11-03") {
					every = append(every, store.Scope{Season: season, Division: division, Gender: gender, Checkpoint: checkpoint})
				}
			}
		}
	}
	for _, changed := range every {
		tags, ok := Scopes([]store.Scope{changed})
		if set := strings.Contains(changed.String(), "*") || changed.Checkpoint == "dated"; ok == set {
			t.Errorf("%v: %v", changed, ok)
		}
		if !ok {
			continue
		}
		for _, s := range every {
			if got, want := slices.Contains(tags, Scope(s)), s.Overlaps(changed); got != want {
				t.Errorf("a change of %v purges %v: %v, want %v", changed, s, got, want)
			}
		}
	}
	if tags, ok := Scopes(nil); len(tags) != 0 || !ok {
		t.Errorf("%v %v", tags, ok)
	}
}

// TestWindow: the tags of a window contain the tag of every time within.
func TestWindow(t *testing.T) {
	from := time.Unix(1_700_000_039, 999)
	for _, length := range []time.Duration{0, time.Second, 30 * time.Second, time.Hour} {
		tags, ok := Window(from, from.Add(length))
		if !ok || len(tags) > int(length/time.Minute)+2 {
			t.Errorf("%v: %d tags", length, len(tags))
		}
		for at := from; !at.After(from.Add(length)); at = at.Add(time.Second / 2) {
			if tag := string(AppendMinute(nil, "", at)); !slices.Contains(tags, tag) {
				t.Fatalf("%v: no %s", length, tag)
			}
		}
	}
	for _, from := range []time.Time{{}, time.Unix(1_700_000_000, 0)} {
		if _, ok := Window(from, time.Unix(1_700_000_000, 0).Add(maxMinutes*time.Minute)); ok {
			t.Errorf("a window from %v is not too long", from)
		}
	}
}

// TestNames: the tags of an answer are separate words without characters that a header
// must not have, for any text that a client may choose.
func TestNames(t *testing.T) {
	got := string(Names("/athletes/{athlete_hnd}", []string{"a_table"}, store.Scope{Season: "2025", Gender: "M", Checkpoint: "live"}, "/k?x=1"))
	want := "xcri xcri:route:/athletes/:athlete_hnd xcri:table:a_table xcri:scope:2025/*/M/live " + Key("/k?x=1")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if all := string(AppendMinute(Separated([]byte(got), ","), ",", time.Unix(120, 0))); strings.Contains(all, " ") || !strings.HasSuffix(all, ",xcri:minute:2") {
		t.Error(all)
	}
	if Key("a") == Key("b") {
		t.Error("keys")
	}
	bad := string(Names("/{x y}", nil, store.Scope{Season: "1,2\r\nX: y", Division: "é\x00\""}, "\r\n"))
	if words := strings.Split(bad, " "); len(words) != 4 || strings.ContainsAny(bad, "\r\n,\"é\x00{}") {
		t.Errorf("%q", bad)
	}
}
