package copies

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/front"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

var routes = route.NewRouter(store.Endpoints(), "")

// in2025 is a scope whose answers a list of tags names.
var in2025 = store.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: store.Live}

// purging returns Copies with one cache in front, and a function that returns the tags that
// were purged there since the last call, once. It must run in a bubble.
func purging(t *testing.T, opts Options) (c *Copies, purged func() []string) {
	t.Helper()
	var got []string
	opts.Headers, opts.Routes = reply.NewHeaders(reply.Reuse{CDN: reply.CDN{MaxAge: time.Minute, Tags: "xkey"}}), routes
	opts.Front.URLs, opts.Front.Rounds = []string{"http://front.example/"}, []time.Duration{}
	if opts.Front.Client == nil {
		opts.Front.Client = &http.Client{Transport: answering(func(req *http.Request) error {
			got = append(got, strings.Fields(req.Header.Get("xkey-purge"))...)
			return nil
		})}
	}
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	t.Cleanup(end)
	go c.Purger().Run(ctx)
	return c, func() (tags []string) {
		synctest.Wait()
		tags, got = got, nil
		slices.Sort(tags)
		return tags
	}
}

type answering func(*http.Request) error

func (f answering) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := f(req); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// TestStaleCopies: a publish purges the answers of the changed scopes, or all answers; a
// change of a table purges the answers of the scopes and those filled since it began, or all
// answers of the table if either is unknown.
func TestStaleCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, purged := purging(t, Options{})
		scopes := []store.Scope{in2025}
		set := []store.Scope{{Season: "2025"}}
		now := time.Now()
		ofScope, _ := front.Scopes(scopes)
		window, _ := front.Window(now.Add(-time.Minute), now)
		table := []string{front.Table("a_table")}
		for name, tt := range map[string]struct {
			stale generation.Stale
			want  []string
		}{
			"nothing":                   {generation.Stale{}, nil},
			"some scopes":               {generation.Stale{Scopes: scopes}, ofScope},
			"a set of scopes":           {generation.Stale{Scopes: set}, []string{front.All}},
			"all":                       {generation.Stale{All: true}, []string{front.All}},
			"scopes of a table":         {generation.Stale{Table: "a_table", Scopes: scopes, Since: now.Add(-time.Minute)}, append(window, ofScope...)},
			"a set of a table":          {generation.Stale{Table: "a_table", Scopes: set, Since: now}, table},
			"all of a table":            {generation.Stale{Table: "a_table", All: true, Scopes: scopes, Since: now}, table},
			"a table, at unknown times": {generation.Stale{Table: "a_table", Scopes: scopes}, table},
		} {
			c.Stale(tt.stale)
			slices.Sort(tt.want)
			if got := purged(); !slices.Equal(got, tt.want) {
				t.Errorf("%s: purged %v, want %v", name, got, tt.want)
			}
		}
	})
}

// TestOtherPurges: a change of the source purges the answers of its routes, and the end of
// an outage purges all answers if the old API has filled some.
func TestOtherPurges(t *testing.T) {
	for _, refills := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, purged := purging(t, Options{Refills: refills})
			q, err := routes.Question("/teams/7")
			if err != nil {
				t.Fatal(err)
			}
			c.Moved([]*route.Route{q.Route})
			if got := purged(); !slices.Equal(got, []string{front.Route("/teams/{team_hnd}")}) {
				t.Errorf("moved: %v", got)
			}
			c.Back()
			if got := purged(); len(got) > 0 != refills || refills && got[0] != front.All {
				t.Errorf("back, refilled %t: %v", refills, got)
			}
		})
	}
}

// TestFailuresAreEvents: the first failure of a cache in front is an event, and so is its
// end. The log has both.
func TestFailuresAreEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list events.List
		var log bytes.Buffer
		var works atomic.Bool
		opts := Options{Events: &list, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		opts.Front.Client = &http.Client{Transport: answering(func(*http.Request) error {
			if works.Load() {
				return nil
			}
			return errors.New("refused")
		})}
		c, _ := purging(t, opts)
		c.Stale(generation.Stale{All: true})
		time.Sleep(time.Minute)
		works.Store(true)
		time.Sleep(time.Minute)
		var texts []string
		for _, e := range list.All() {
			if texts = append(texts, e.Text); e.Kind != events.Purge {
				t.Errorf("%+v", e)
			}
		}
		slices.Sort(texts)
		if want := []string{"the cache in front at front.example can't be purged: refused", "the cache in front at front.example is purged again"}; !slices.Equal(texts, want) {
			t.Errorf("%q", texts)
		}
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("%d lines of log: %s", n, log.String())
		}
	})
}

// TestWithoutFronts: without caches in front nothing is purged, and answers name no tags.
func TestWithoutFronts(t *testing.T) {
	c, err := New(Options{Headers: reply.NewHeaders(reply.Reuse{}), Routes: routes, Refills: true})
	if err != nil || c.Purger() != nil {
		t.Fatalf("%v, %v", c.Purger(), err)
	}
	c.Back()
	c.Moved(nil)
	c.Stale(generation.Stale{All: true})
	if tags := c.Tags("/teams/7"); tags != nil {
		t.Errorf("%q", tags)
	}
	if _, err := New(Options{Headers: reply.NewHeaders(reply.Reuse{}), Front: front.Options{URLs: []string{"/"}}}); err == nil {
		t.Error("a URL without a host")
	}
}

// TestTagsOfAKey: the tags are separated as the field requires, and a key of no question has
// none.
func TestTagsOfAKey(t *testing.T) {
	for field, separator := range map[string]string{"xkey": " ", "Cache-Tag": ","} {
		c, err := New(Options{Headers: reply.NewHeaders(reply.Reuse{CDN: reply.CDN{Tags: field}}), Routes: routes})
		if err != nil {
			t.Fatal(err)
		}
		tags := string(c.Tags("/teams/7"))
		if got := strings.Split(tags, separator); len(got) < 4 || got[0] != front.All || got[len(got)-1] != front.Key("/teams/7") {
			t.Errorf("%s: %q", field, tags)
		}
		if tags := c.Tags("/nothing"); tags != nil {
			t.Errorf("%q", tags)
		}
	}
}

// holding is a generation that holds the entries of itself.
type holding string

func (g holding) Holds(e *cache.Entry) bool { return e.Generation == string(g) }
func (g holding) ID() string                { return string(g) }

// TestMark: an answer says the tags of its entry, and is kept out of caches in front if it
// was waited for and has become outdated meanwhile, or is no answer of the entry.
func TestMark(t *testing.T) {
	now := time.Now()
	entry := func(generation string, began time.Time) *cache.Entry {
		e := &cache.Entry{Content: cache.Content{Status: 200, Generation: generation}, Took: time.Second}
		e.Filled = began.Add(e.Took)
		return e
	}
	for name, tt := range map[string]struct {
		outcome cache.Outcome
		status  int
		entry   *cache.Entry
		purged  bool // now, by an operator
		out     bool
	}{
		"a hit":                         {cache.Hit, 200, entry("old", now.Add(-time.Hour)), true, false},
		"not modified":                  {cache.Hit, 304, entry("new", now), false, false},
		"another status":                {cache.Hit, 406, entry("new", now), false, true},
		"a miss":                        {cache.Miss, 200, entry("new", now), false, false},
		"a coalesced miss":              {cache.Coalesced, 200, entry("new", now), false, false},
		"an outdated miss":              {cache.Miss, 200, entry("old", now), false, true},
		"an outdated coalesced miss":    {cache.Coalesced, 200, entry("old", now), false, true},
		"read before a purge":           {cache.Miss, 200, entry("new", now.Add(-time.Millisecond)), true, true},
		"read at the moment of a purge": {cache.Miss, 200, entry("new", now), true, true},
		"read after a purge":            {cache.Miss, 200, entry("new", now.Add(time.Millisecond)), true, false},
	} {
		c, err := New(Options{Headers: reply.NewHeaders(reply.Reuse{CDN: reply.CDN{MaxAge: time.Minute, Tags: "xkey"}}), Routes: routes})
		if err != nil {
			t.Fatal(err)
		}
		c.published = func() (cache.Generation, time.Time) { return nil, time.Time{} }
		if c.current(entry("new", now)) {
			t.Error("an entry is current before the first publish")
		}
		c.published = func() (cache.Generation, time.Time) { return holding("new"), now }
		if tt.purged {
			c.purged.Store(&now)
		}
		var ctx fasthttp.RequestCtx
		ctx.SetStatusCode(tt.status)
		c.Mark(&ctx, []byte("xcri a"), tt.entry, tt.outcome)
		header := ctx.Response.Header.String()
		if got := strings.Contains(header, "\r\nCDN-Cache-Control: no-store\r\n"); got != tt.out {
			t.Errorf("%s: kept out %t", name, got)
		}
		if line := "\r\nxkey: " + string(front.AppendMinute([]byte("xcri a"), " ", tt.entry.Filled)) + "\r\n"; !strings.Contains(header, line) {
			t.Errorf("%s: %q, want %q", name, header, line)
		}
		ctx.Response.Reset()
		if c.Mark(&ctx, nil, tt.entry, cache.Hit); strings.Contains(ctx.Response.Header.String(), "xkey") {
			t.Errorf("%s: tags without names", name)
		}
	}
}

// TestPurgeIsNoted: a purge of the proxy's own cache is noted before its listener runs.
func TestPurgeIsNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := purging(t, Options{})
		calls := 0
		c.OnPurge(func() {
			if calls++; c.purged.Load() == nil || !c.purged.Load().Equal(time.Now()) {
				t.Errorf("noted as %v", c.purged.Load())
			}
		})()
		time.Sleep(time.Second)
		if c.OnPurge(nil)(); calls != 1 || !c.purged.Load().Equal(time.Now()) {
			t.Errorf("%d calls, noted as %v", calls, c.purged.Load())
		}
	})
}

// TestFollow: the entries are compared with the generation that the cache has published.
func TestFollow(t *testing.T) {
	c, err := New(Options{Headers: reply.NewHeaders(reply.Reuse{}), Routes: routes})
	if err != nil {
		t.Fatal(err)
	}
	of, err := cache.New(cache.Options{Bytes: 1 << 20, Fill: func(context.Context, string) (cache.Content, error) { return cache.Content{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer of.Close()
	c.Follow(of)
	if g, _ := c.published(); g != nil {
		t.Errorf("published %v", g)
	}
}
