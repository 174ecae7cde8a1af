package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/front"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// cdn are the fields for a cache in front that can be purged.
var cdn = reply.Reuse{CDN: reply.CDN{MaxAge: time.Hour, StaleIfError: 24 * time.Hour, Tags: "Surrogate-Key"}}

const cdnFresh, cdnNever = "max-age=3600, stale-if-error=86400", "no-store"

// calculated returns a generation in which the men's live scope was calculated by id.
func calculated(id int64) *store.Generation {
	at := func(gender string, id int64) store.Calculation {
		return store.Calculation{Scope: store.Scope{Season: "2025", Division: "2030", Gender: gender, Checkpoint: store.Live}, ID: id, At: time.Unix(1_700_000_000+id, 0), Rows: 10}
	}
	return store.NewGeneration(at("M", id), at("F", 1))
}

// movingOrigin answers each question with the number of the generation at its begin.
func movingOrigin(id *atomic.Int64) *fakeOrigin {
	return &fakeOrigin{
		generation: func() (*store.Generation, error) { return calculated(id.Load()), nil },
		run: func(_ context.Context, q store.Query) (store.Answer, error) {
			n := id.Load()
			return store.Answer{Status: 200, Body: []byte(`{"n":` + string(rune('0'+n)) + `}`), Generation: calculated(n).Of(q.Scope())}, nil
		},
	}
}

// recorder is a cache in front that records the tags of each purge.
type recorder struct {
	*httptest.Server
	mu      sync.Mutex
	tags    []string
	onPurge func() // called before the purge is answered; nil means no caller
}

func newRecorder(t *testing.T) *recorder {
	r := &recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.onPurge != nil {
			r.onPurge()
		}
		r.tags = append(r.tags, strings.Fields(req.Header.Get("xkey-purge"))...)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) saw(tag string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.tags, tag)
}

func (r *recorder) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tags = nil
}

// once makes a Purger repeat no purge.
func (r *recorder) once() front.Options {
	return front.Options{URLs: []string{r.URL}, Rounds: []time.Duration{}}
}

// TestNoFront: without the settings no answer has a field for caches in front.
func TestNoFront(t *testing.T) {
	_, base := start(t, Options{Origin: &fakeOrigin{}})
	for _, target := range []string{"/teams/", "/teams/", "/teams/", "/nowhere", "/teams/?limit=x"} {
		a := get(t, base, target)
		for _, name := range []string{"CDN-Cache-Control", "Surrogate-Key", "xkey", "Cache-Tag"} {
			if v, there := a.header[http.CanonicalHeaderKey(name)]; there {
				t.Errorf("%s: %s: %q", target, name, v)
			}
		}
	}
}

// TestTags: each answer of the read API names its tags, also a 304, a HEAD and a 404, and
// no other answer does.
func TestTags(t *testing.T) {
	for name, separator := range map[string]string{"Surrogate-Key": " ", "xkey": " ", "Cache-Tag": ","} {
		opts := realOptions(t)
		opts.Reuse.CDN.Tags = name
		p, base := start(t, opts)
		const target = "/athletes/12002064?season_year=2025"
		tag := get(t, base, target).header.Get("Etag")
		for range 3 {
			for _, a := range []answer{get(t, base, target), ask(t, base, "HEAD", target), get(t, base, target, "If-None-Match", tag), get(t, base, "/iz/xcri/api"+target)} {
				words := strings.Split(a.header.Get(name), separator)
				want := []string{front.All, front.Route("/athletes/{athlete_hnd}")}
				for _, table := range p.router.Of(target).Endpoint.Reads {
					want = append(want, front.Table(table))
				}
				want = append(want, "xcri:scope:2025/*/*/live")
				if !slices.Equal(words[:len(words)-2], want) || !strings.HasPrefix(words[len(words)-2], "xcri:key:") || !strings.HasPrefix(words[len(words)-1], "xcri:minute:") {
					t.Fatalf("%d: %q, want %q and more", a.status, words, want)
				}
			}
		}
		if a := get(t, base, "/teams/99999"); a.status != 404 || a.header.Get(name) == "" {
			t.Errorf("a 404 has no tags: %v", a.header)
		}
		for _, target := range []string{"/teams/?limit=x", "/nowhere", "/livez", "/cache/stats", "/health"} {
			if a := get(t, base, target); a.header.Get(name) != "" {
				t.Errorf("%s has tags: %v", target, a.header)
			}
		}
	}
}

// TestTagsOfAClient: a client can't put a field or a tag of its own into an answer.
func TestTagsOfAClient(t *testing.T) {
	opts := realOptions(t)
	opts.Reuse = cdn
	_, base := start(t, opts)
	for _, target := range []string{
		"/teams/?gender=M%0d%0aX-Evil:%201", "/teams/?checkpoint_date=2025-10-27%0d%0aX-Evil:%201%20xcri:key:0", "/teams/?season_year=%2b2025", "/snapshots/2025-10-27%20xcri:all/teams",
	} {
		a := get(t, base, target)
		if a.header.Get("X-Evil") != "" || len(a.header["Surrogate-Key"]) > 1 || strings.Count(a.header.Get("Surrogate-Key"), "xcri:key:") > 1 || strings.Contains(a.header.Get("Surrogate-Key"), "xcri:all") {
			t.Errorf("%s: %v", target, a.header)
		}
	}
}

// TestTaggedFastPathAnswersAlike: with tags, too, the fast path's answers are the
// handler's, byte for byte.
func TestTaggedFastPathAnswersAlike(t *testing.T) {
	p := taggedProxy(t, 40<<10)
	came := counting(p)
	fastBase, slowBase := listen(t, p), listenSlow(t, p)
	exchange(t, slowBase, lines(plainGet, "Host: a"))
	for _, headers := range [][]string{{"Accept-Encoding: br"}, {"Accept-Encoding: gzip"}, {"If-None-Match: *"}, {}} {
		text := lines(append([]string{plainGet, "Host: a"}, headers...)...)
		for range 3 {
			came.Store(0)
			got, want := still(exchange(t, fastBase, text)), still(exchange(t, slowBase, text))
			if got != want || strings.Count(got, "\r\nSurrogate-Key: xcri ") != 1 || strings.Count(got, "\r\nCDN-Cache-Control: "+cdnFresh) != 1 {
				t.Fatalf("%.900q\nwant %.900q", got, want)
			}
		}
		if came.Load() != 0 && len(headers) > 0 {
			t.Errorf("%v: it was left to the server", headers)
		}
	}
}

// TestCDNCacheControl: caches in front store fresh answers for the configured time, and
// no others.
func TestCDNCacheControl(t *testing.T) {
	opts := realOptions(t)
	opts.Reuse = cdn
	p, base := start(t, opts)
	check := func(want, outcome, target string, headers ...string) {
		t.Helper()
		a := get(t, base, target, headers...)
		if got := a.header.Get("CDN-Cache-Control"); got != want || outcome != "" && a.outcome() != outcome {
			t.Errorf("%s: %d, %s: %q, want %s: %q", target, a.status, a.outcome(), got, outcome, want)
		}
		if want != "" && a.status == 200 && a.header.Get("Cache-Control") != "public, no-cache" {
			t.Errorf("%s: browsers get %q", target, a.header.Get("Cache-Control"))
		}
	}
	check(cdnFresh, "miss", "/teams/")
	check(cdnFresh, "hit", "/teams/")
	check(cdnFresh, "hit", "/teams/", "If-None-Match", "*")
	check(cdnFresh, "miss", "/teams/99999")
	check(cdnFresh, "hit", "/teams/99999")
	check(cdnNever, "hit", "/teams/", "If-Match", `"other"`)
	check("", "", "/teams/?limit=x")
	check("", "", "/nowhere")
	check("", "", "/health")
	p.cache.Purge(func(*cache.Entry) bool { return true }, false)
	check(cdnNever, "stale", "/teams/")
	await(t, "it is refreshed", func() bool { return get(t, base, "/teams/").outcome() == "hit" })
	check(cdnFresh, "hit", "/teams/")
	p.cache.Purge(func(*cache.Entry) bool { return true }, false)
	p.outage.Down(errors.New("down"))
	check(cdnNever, "stale_error", "/teams/")
	p.outage.Up()
}

// TestOutdatedMissIsNotStored: an answer that was read before a publish, or before a
// purge, and is sent after it must not be stored in front: the purge there is over.
func TestOutdatedMissIsNotStored(t *testing.T) {
	for name, change := range map[string]func(p *Proxy, id *atomic.Int64){
		"publish": func(p *Proxy, id *atomic.Int64) { id.Store(2) },
		"purge":   func(p *Proxy, id *atomic.Int64) { p.cache.Purge(func(*cache.Entry) bool { return true }, false) },
	} {
		t.Run(name, func(t *testing.T) {
			var id atomic.Int64
			id.Store(1)
			origin := movingOrigin(&id)
			load, gate, came := origin.run, make(chan struct{}), make(chan struct{}, 10)
			origin.run = func(ctx context.Context, q store.Query) (store.Answer, error) {
				a, err := load(ctx, q)
				if q.Arg("limit").Text != "7" {
					return a, err
				}
				came <- struct{}{}
				<-gate
				return a, err
			}
			p, base := start(t, Options{Origin: origin, Reuse: cdn})
			answered := make(chan answer, 1)
			go func() { answered <- get(t, base, "/teams/?season_year=2025&gender=M&limit=7") }()
			<-came
			change(p, &id)
			awaitLook(t, p, p.generations.Poll(nil))
			close(gate)
			a := <-answered
			if a.status != 200 || a.outcome() != "miss" || a.body != `{"n":1}` || a.header.Get("CDN-Cache-Control") != cdnNever {
				t.Errorf("%d %s %s %q", a.status, a.outcome(), a.body, a.header.Get("CDN-Cache-Control"))
			}
		})
	}
}

// TestPublishPurges: the first publish purges everything in front, a later publish the
// scopes that it changes, and only after the proxy itself gives the new answers.
func TestPublishPurges(t *testing.T) {
	var id atomic.Int64
	id.Store(1)
	rec := newRecorder(t)
	const target = "/teams/?season_year=2025&division=2030&gender=M&limit=50000"
	opts := Options{Origin: movingOrigin(&id), Reuse: cdn, Front: rec.once()}
	opts.Generations.Pages = []string{target}
	p, base := start(t, opts)
	settled := func() bool { // the answers of all purges are counted
		s := p.copies.Purger().Stats()[0]
		return s.Pending == 0 && s.Requests > 0
	}
	await(t, "the first publish purges everything", func() bool { return rec.saw(front.All) && settled() })
	rec.forget()
	var old atomic.Int64
	rec.mu.Lock()
	rec.onPurge = func() {
		if a := get(t, base, target); a.body != `{"n":2}` || a.header.Get("CDN-Cache-Control") != cdnFresh {
			old.Add(1)
		}
	}
	rec.mu.Unlock()
	id.Store(2)
	awaitLook(t, p, p.generations.Poll(nil))
	await(t, "the publish purges the scope", func() bool { return rec.saw("xcri:scope:2025/2030/M/live") && settled() })
	for _, scope := range []string{"*/*/*/*", "2025/*/*/live", "*/2030/M/*"} {
		if !rec.saw("xcri:scope:" + scope) {
			t.Errorf("%s is not purged", scope)
		}
	}
	if rec.saw(front.All) || rec.saw("xcri:scope:2025/2030/F/live") {
		t.Errorf("too much is purged: %v", rec.tags)
	}
	if old.Load() > 0 {
		t.Error("purged before the proxy gave the new answer")
	}
	sent := p.copies.Purger().Stats()[0].Requests
	p.generations.Refill()
	awaitLook(t, p, p.generations.Poll(nil))
	if s := p.copies.Purger().Stats()[0]; s.Pending != 0 || s.Requests != sent {
		t.Errorf("a publish of the same generation purges: %+v", s)
	}
}

// TestChangesPurgeFronts: every change that makes entries stale purges them in front, by
// tags that cover them.
func TestChangesPurgeFronts(t *testing.T) {
	rec := newRecorder(t)
	p, base := start(t, Options{Origin: &fakeOrigin{}, Reuse: cdn, Front: rec.once()})
	await(t, "the first publish purges everything", func() bool { return rec.saw(front.All) })
	scope := store.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: store.Live}
	now := time.Now()
	for name, tt := range map[string]struct {
		change func()
		want   string
	}{
		"a path":   {func() { purge(t, base, `{"path":"/teams/?season_year=2025&limit=7"}`) }, front.Key(keyFor(t, p, "/teams/?season_year=2025&limit=7"))},
		"a route":  {func() { purge(t, base, `{"route":"/teams/{team_hnd}"}`) }, front.Route("/teams/{team_hnd}")},
		"a scope":  {func() { purge(t, base, `{"scope":"2024/2031/F/live"}`) }, "xcri:scope:2024/*/F/live"},
		"a source": {func() { p.moved([]*route.Route{p.router.Of("/team-five/")}) }, front.Route("/team-five/")},
		"a table":  {func() { p.copies.Stale(generation.Stale{Table: "t1", All: true, Since: now}) }, front.Table("t1")},
		"a table of sets": {func() {
			p.copies.Stale(generation.Stale{Table: "t2", Scopes: []store.Scope{{Season: "2025"}}, Since: now})
		}, front.Table("t2")},
		"a table since long":   {func() { p.copies.Stale(generation.Stale{Table: "t3", Scopes: []store.Scope{scope}}) }, front.Table("t3")},
		"a table's scope":      {func() { p.copies.Stale(generation.Stale{Table: "t4", Scopes: []store.Scope{scope}, Since: now}) }, front.Scope(scope)},
		"a table's window":     {func() { p.copies.Stale(generation.Stale{Table: "t5", Since: now}) }, string(front.AppendMinute(nil, "", now))},
		"sets of calculations": {func() { p.copies.Stale(generation.Stale{Scopes: []store.Scope{{Season: "2023"}}}) }, front.All},
	} {
		rec.forget()
		tt.change()
		await(t, name, func() bool { return rec.saw(tt.want) })
	}
}

func keyFor(t *testing.T, p *Proxy, target string) string {
	t.Helper()
	key, err := keyOf(p, target)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
