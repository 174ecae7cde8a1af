package proxy

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/snapshot"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/store"
)

// filled returns a saved entry such as a fill of target in the warm set makes.
func filled(t testing.TB, p *Proxy, target string, size int) *cache.Saved {
	t.Helper()
	q, err := p.router.Resolve(target)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(strings.Repeat("x", size))
	return &cache.Saved{Key: q.Key, Content: cache.Content{Status: 200, Size: size, Variants: content.Variants(body), Scope: q.Query.Scope().String()}, Warm: true}
}

// TestUsable: an entry from a file is adopted only if a fill of its key could have
// made it.
func TestUsable(t *testing.T) {
	p, err := New(Options{Origin: &fakeOrigin{}})
	if err != nil {
		t.Fatal(err)
	}
	const target = "/teams/?season_year=2025&division=2030&gender=M&limit=50000"
	for _, size := range []int{0, 900, content.CompressAbove, content.CompressAbove + 1, 10 << 10, content.LargeBody, content.LargeBody + 1} {
		e := filled(t, p, target, size)
		if !p.usable(e) {
			t.Errorf("%d bytes: not usable", size)
		}
		if better := content.Recoder(p.opts.Memory, nil)(&cache.Entry{Content: e.Content}); better != nil {
			if e.Variants = better; !p.usable(e) {
				t.Errorf("%d bytes, recoded: not usable", size)
			}
		}
	}
	for name, change := range map[string]func(*cache.Saved){
		"another spelling":  func(e *cache.Saved) { e.Key = strings.ToLower(e.Key) },
		"no path of ours":   func(e *cache.Saved) { e.Key = "/nowhere" },
		"no key":            func(e *cache.Saved) { e.Key = "" },
		"wrong parameter":   func(e *cache.Saved) { e.Key = "/teams/?limit=x" },
		"default given":     func(e *cache.Saved) { e.Key = "/teams/?offset=0" },
		"line break":        func(e *cache.Saved) { e.Key += "\r\n" },
		"absolute":          func(e *cache.Saved) { e.Key = "http://x" + e.Key },
		"another scope":     func(e *cache.Saved) { e.Scope = "2025/2031/M/live" },
		"no scope":          func(e *cache.Saved) { e.Scope = "" },
		"redirect":          func(e *cache.Saved) { e.Status = 302 },
		"no body":           func(e *cache.Saved) { e.Variants = nil },
		"only identity":     func(e *cache.Saved) { e.Variants = e.Variants[:1] },
		"br alone":          func(e *cache.Saved) { e.Variants = []cache.Variant{e.Variants[0], e.Variants[2]} },
		"identity twice":    func(e *cache.Saved) { e.Variants[2].Coding = "" },
		"gzip first":        func(e *cache.Saved) { e.Variants[0].Coding = "gzip" },
		"unknown coding":    func(e *cache.Saved) { e.Variants[2].Coding = "rot13" },
		"empty br":          func(e *cache.Saved) { e.Variants[2].Body = nil },
		"both bodies":       func(e *cache.Saved) { e.Variants[0].Body = make([]byte, e.Size) },
		"large, plain":      func(e *cache.Saved) { e.Variants = []cache.Variant{{Body: make([]byte, e.Size), ETag: []byte(`"x"`)}} },
		"no gzip":           func(e *cache.Saved) { e.Variants[1].Body = []byte("hello, hello, hello, hello") },
		"short gzip":        func(e *cache.Saved) { e.Variants[1].Body = e.Variants[1].Body[:5] },
		"another size":      func(e *cache.Saved) { e.Size++ },
		"no ETag":           func(e *cache.Saved) { e.Variants[1].ETag = nil },
		"weak ETag":         func(e *cache.Saved) { e.Variants[1].ETag = []byte(`W/"x"`) },
		"header in an ETag": func(e *cache.Saved) { e.Variants[1].ETag = []byte("\"x\r\nSet-Cookie: y\"") },
	} {
		t.Run(name, func(t *testing.T) {
			e := filled(t, p, target, 10<<10)
			if change(e); p.usable(e) {
				t.Errorf("usable: %+v", e)
			}
		})
	}
}

// TestSaved: saved answers are served before the first poll in the same way as during
// an outage. They are hits once a poll has confirmed their generation.
func TestSaved(t *testing.T) {
	maker, err := New(Options{Origin: &fakeOrigin{}})
	if err != nil {
		t.Fatal(err)
	}
	good, foreign := filled(t, maker, "/teams/?limit=7", 5000), filled(t, maker, "/teams/?limit=8", 5000)
	good.Generation = (&store.Generation{}).Of(store.Scope{})
	foreign.Key = "/nowhere"
	var log bytes.Buffer
	var up atomic.Bool
	var published atomic.Int64
	p, err := New(Options{Generations: generation.Options{Pages: []string{}, OnPublish: func() { published.Add(1) }},
		Origin: &fakeOrigin{
			generation: func() (*store.Generation, error) {
				if !up.Load() {
					return nil, store.ErrUnavailable
				}
				return &store.Generation{}, nil
			},
			run: func(context.Context, store.Query) (store.Answer, error) {
				return store.Answer{}, errors.New("not to be asked")
			},
		},
		Kept:   Kept{Saved: []cache.Saved{*good, *foreign}},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "left out") || p.cache.Stats().Shelves[0].Entries != 1 || p.opts.Saved != nil {
		t.Errorf("%d entries adopted, %d kept; log: %s", p.cache.Stats().Shelves[0].Entries, len(p.opts.Saved), log.String())
	}
	base := listen(t, p)
	<-p.generations.Polled()
	if a := get(t, base, good.Key); a.status != 200 || a.outcome() != "stale_error" || len(a.body) != good.Size {
		t.Errorf("while it is down: %d %s", a.status, a.outcome())
	}
	if a := get(t, base, "/teams/?limit=9"); a.status != 503 {
		t.Errorf("an entry that was not saved: %d", a.status)
	}
	up.Store(true)
	awaitLook(t, p, p.generations.Poll(nil))
	if a := get(t, base, good.Key); a.status != 200 || a.outcome() != "hit" {
		t.Errorf("afterwards: %d %s", a.status, a.outcome())
	}
	if published.Load() != 1 {
		t.Errorf("%d publishes reported", published.Load())
	}
}

// TestWarmAfterOutage: a warm-up that an outage ended starts again when the database
// is back with the same generation.
func TestWarmAfterOutage(t *testing.T) {
	var fails atomic.Bool
	fails.Store(true)
	p, err := New(Options{Generations: generation.Options{Pages: []string{"/teams/"}}, Origin: &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) {
		if fails.Load() {
			return store.Answer{}, store.ErrUnavailable
		}
		return store.Answer{Status: 200, Body: []byte("{}"), Generation: (&store.Generation{}).ID()}, nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	base := listen(t, p)
	awaitLook(t, p, p.generations.Poll(nil))
	if n := p.generations.Status().Published; n != 0 {
		t.Fatalf("%d published without a database", n)
	}
	fails.Store(false)
	awaitLook(t, p, p.generations.Poll(nil))
	if s := p.generations.Status(); s.Published != 1 {
		t.Errorf("%+v", s)
	}
	if a := get(t, base, "/teams/"); a.outcome() != "hit" {
		t.Errorf("%d %s", a.status, a.outcome())
	}
}

// Purged entries do not reappear after a restart: a purge rewrites the file. A hard
// purge that leaves no entries removes the file.
func TestPurgeReachesTheSavedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache")
	var toSave atomic.Int64
	p, base := start(t, Options{Origin: &fakeOrigin{}, Generations: generation.Options{Interval: time.Hour, OnPublish: func() { toSave.Add(1) }}})
	awaitLook(t, p, p.generations.Poll([]string{"/teams/", "/teams/?limit=1"}))
	if n, err := p.Save(path, "test"); n != 2 || err != nil {
		t.Fatalf("%d entries, %v", n, err)
	}
	for _, tt := range []struct {
		purge           string
		entries, purged int
	}{
		{`{"path":"/teams/"}`, 2, 1},
		{`{"path":"/teams/","hard":true}`, 1, 0},
		{`{"all":true,"hard":true}`, 0, 0},
	} {
		before := toSave.Load()
		post(t, base, "/cache/purge", tt.purge)
		if toSave.Load() != before+1 {
			t.Errorf("%s: not saved", tt.purge)
		}
		n, err := p.Save(path, "test")
		file, loadErr := snapshot.Load(path, 1<<30)
		if n != tt.entries || err != nil || (loadErr == nil) != (n > 0) {
			t.Errorf("%s: %d entries, %v, load: %v", tt.purge, n, err, loadErr)
			continue
		}
		purged := 0
		for i := range n {
			if file.Entries[i].Purged {
				purged++
			}
		}
		if purged != tt.purged {
			t.Errorf("%s: %d of %d entries are purged, want %d", tt.purge, purged, n, tt.purged)
		}
	}
}
