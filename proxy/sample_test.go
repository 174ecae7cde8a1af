package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/compare"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// awaitSamples waits until n samples were compared or dropped, and returns the
// figures.
func awaitSamples(t testing.TB, p *Proxy, n int64) api.Verify {
	t.Helper()
	var stats api.Verify
	await(t, fmt.Sprint(n, " samples compared"), func() bool {
		stats = p.Stats().Verify
		sum := stats.Dropped
		for _, of := range stats.Verdicts {
			sum += of
		}
		return sum >= n
	})
	return stats
}

// TestSampling: loads from the store are compared in the background, differences
// counted and logged, each key's once.
func TestSampling(t *testing.T) {
	const target = "/teams/?season_year=2025&division=2030&gender=M"
	opts, log := realOptions(t), &logged{}
	answer, err := opts.Origin.Run(t.Context(), keyQuery(t, target))
	if err != nil {
		t.Fatal(err)
	}
	body := string(answer.Body)
	wrong := strings.Replace(body, `"team_rank":2,`, `"team_rank":3,`, 1)
	var says atomic.Value
	says.Store(body)
	opts.VerifySample, opts.Logger = 1, log.logger()
	opts.Legacy = handles(t, func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != target {
			t.Errorf("asked for %s", r.RequestURI)
		}
		tell(w, 200, says.Load().(string))
	})
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	base := listenUnwarmed(t, p)
	get(t, base, target)
	awaitSamples(t, p, 1)
	says.Store(wrong)
	for n := range int64(2) {
		purge(t, base, `{"all":true,"hard":true}`)
		get(t, base, target)
		awaitSamples(t, p, n+2)
	}
	stats := p.Stats().Verify
	if stats.Share != 1 || stats.Dropped != 0 || stats.Verdicts["same_bytes"] != 1 || stats.Verdicts["different"] != 2 {
		t.Errorf("%+v", stats)
	}
	await(t, "a line in the log", func() bool { return log.count("the old API answers differently") > 0 })
	if n := log.count("results[1].team_rank store=2 legacy=3"); n != 1 || log.count("the old API answers differently") != 1 {
		t.Errorf("logged %d times:\n%s", n, &log.text)
	}
}

// listenUnwarmed serves p with a comparer of samples, but without a watch: only
// what the test asks for is loaded.
func listenUnwarmed(t testing.TB, p *Proxy) (base string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.compareSamples(ctx)
	}()
	t.Cleanup(func() {
		stop()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Error("the comparer goes on")
		}
	})
	return serveUnwatched(t, p)
}

func serveUnwatched(t testing.TB, p *Proxy) (base string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(p.Shutdown(ctx), <-served); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return "http://" + ln.Addr().String()
}

// TestSampledImport: what differs because of an import in between does not count
// as different.
func TestSampledImport(t *testing.T) {
	var loads atomic.Int64
	p, err := New(Options{
		VerifySample: 1, Legacy: says(t, 200, `{"n":2}`),
		Origin: &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) {
			return store.Answer{Status: 200, Body: fmt.Appendf(nil, `{"n":%d}`, min(2, loads.Add(1)))}, nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	base := listenUnwarmed(t, p)
	if a := get(t, base, "/teams/"); a.body != `{"n":1}` {
		t.Fatal(a.body)
	}
	if stats := awaitSamples(t, p, 1); stats.Verdicts["same_bytes"] != 1 || loads.Load() != 2 {
		t.Errorf("%+v after %d loads", stats, loads.Load())
	}
}

// TestSamplingNeverWaits: with an old API that hangs, loads go on as before, and
// what finds no room is dropped. The end of the watch ends the comparison.
func TestSamplingNeverWaits(t *testing.T) {
	large := `{"x":"` + strings.Repeat("x", 1<<20) + `"}`
	for name, tt := range map[string]struct {
		body string
		kept int64 // at most, beside the one that is compared
	}{"many": {`{}`, queuedSamples}, "large": {large, queuedBytes >> 20}} {
		t.Run(name, func(t *testing.T) {
			const loads = 40
			p, err := New(Options{VerifySample: 1, Origin: originSays(tt.body), Legacy: handles(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })})
			if err != nil {
				t.Fatal(err)
			}
			listenUnwarmed(t, p)
			for n := range loads {
				key := fmt.Sprintf("/teams/%d", n)
				q, err := p.router.Question(key)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.load(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
			dropped := p.Stats().Verify.Dropped
			if dropped < loads-tt.kept-1 || dropped >= loads {
				t.Errorf("%d of %d dropped", dropped, loads)
			}
			if waiting := int64(len(p.verify.samples)); waiting > tt.kept {
				t.Errorf("%d wait", waiting)
			}
		})
	}
}

// TestNotSampled: nothing is compared without a share or an old API, nor what
// came from there or tells the time.
func TestNotSampled(t *testing.T) {
	old := says(t, 200, `{}`)
	for name, tt := range map[string]struct {
		opts Options
		key  string
	}{
		"no share":          {Options{Legacy: old}, "/teams/"},
		"no old API":        {Options{VerifySample: 1}, "/teams/"},
		"of the old API":    {Options{VerifySample: 1, Legacy: old, Source: FromLegacy}, "/teams/"},
		"the row counts":    {Options{VerifySample: 1, Legacy: old}, route.HealthPath},
		"what was not told": {Options{VerifySample: 1, Legacy: old, Origin: &fakeOrigin{run: hang}}, "/teams/"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.opts.Origin == nil {
				tt.opts.Origin = originSays(`{}`)
			}
			p, err := New(tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err = p.fill(ctx, tt.key)
			if (err != nil) != (name == "what was not told") || len(p.verify.samples) != 0 || p.Stats().Verify.Dropped != 0 {
				t.Errorf("%v, %d wait, %+v", err, len(p.verify.samples), p.Stats().Verify)
			}
		})
	}
}

// TestShareOfSamples: about as many are taken as were asked for. That it fails
// by chance is less likely than one in 10^12.
func TestShareOfSamples(t *testing.T) {
	const loads = 10_000
	p, err := New(Options{VerifySample: 0.25, Origin: &fakeOrigin{}, Legacy: says(t, 200, `{}`)})
	if err != nil {
		t.Fatal(err)
	}
	r := p.router.Routes()[0]
	for range loads {
		p.offer(r, "/teams/", store.Answer{Status: 200, Body: []byte(`{}`)})
	}
	taken := int(p.Stats().Verify.Dropped) + len(p.verify.samples)
	if taken < loads*22/100 || taken > loads*28/100 {
		t.Errorf("%d of %d", taken, loads)
	}
}

// TestSampleFails: what can't be compared is counted, not logged loudly, and no
// reason to stop.
func TestSampleFails(t *testing.T) {
	for name, tt := range map[string]struct {
		origin Origin
		status int
		want   string
	}{
		"an error of the old API":                  {originSays(`{}`), 500, "failed"},
		"a difference, and no connection to spare": {crowded{originSays(`{}`)}, 200, "dropped"},
		"the same, and no connection to spare":     {crowded{originSays(`{"old":true}`)}, 200, "same_bytes"},
		"a panic the second time":                  {&fakeOrigin{run: panicsTheSecondTime()}, 200, "dropped"},
	} {
		t.Run(name, func(t *testing.T) {
			log := &logged{}
			p, err := New(Options{VerifySample: 1, Origin: tt.origin, Legacy: says(t, tt.status, `{"old":true}`), Logger: log.logger()})
			if err != nil {
				t.Fatal(err)
			}
			base := listenUnwarmed(t, p)
			get(t, base, "/teams/")
			stats := awaitSamples(t, p, 1)
			if stats.Verdicts[tt.want]+stats.Dropped != 1 || (tt.want == "dropped") != (stats.Dropped == 1) {
				t.Errorf("%+v", stats)
			}
			if n := log.count("level=WARN"); n != 0 {
				t.Errorf("%d warnings:\n%s", n, &log.text)
			}
			if n := p.Stats().Requests.Panics; (n == 1) != strings.HasPrefix(name, "a panic") {
				t.Errorf("%d panics", n)
			}
		})
	}
}

func panicsTheSecondTime() func(context.Context, store.Query) (store.Answer, error) {
	var n atomic.Int64
	return func(context.Context, store.Query) (store.Answer, error) {
		if n.Add(1) == 2 {
			panic("in the store")
		}
		return store.Answer{Status: 200, Body: []byte(`{}`)}, nil
	}
}

func TestPauseAfter(t *testing.T) {
	pause := samplePause
	var all []time.Duration
	for range 8 {
		pause = pauseAfter(pause, verdictFailed)
		all = append(all, pause/time.Second)
	}
	if got := fmt.Sprint(all); got != "[1ns 2ns 4ns 8ns 16ns 32ns 60ns 60ns]" {
		t.Error(got)
	}
	if pause = pauseAfter(pause, compare.Different); pause != samplePause {
		t.Errorf("an answer: %v", pause)
	}
}

// TestDifferencesAreToldOnceInAWhile: each key has its turn, and the memory of
// that is bounded.
func TestDifferencesAreToldOnceInAWhile(t *testing.T) {
	log, told := &logged{}, map[string]time.Time{}
	p, err := New(Options{Origin: &fakeOrigin{}, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	differs := func(key string) {
		p.logDifference(comparison{key: key, verdict: compare.Different, difference: &difference{}}, told)
	}
	for range 3 {
		differs("/teams/1")
		differs("/teams/2")
	}
	if n := log.count("differently"); n != 2 {
		t.Errorf("%d lines", n)
	}
	told["/teams/1"] = time.Now().Add(-tellAgain)
	if differs("/teams/1"); log.count("differently") != 3 {
		t.Error("not told again after a while")
	}
	for n := range 3 * toldKeys {
		differs(fmt.Sprint(n))
	}
	if len(told) > toldKeys {
		t.Errorf("%d keys remembered", len(told))
	}
	for _, verdict := range []compare.Verdict{compare.SameBytes, compare.SameButOrder, verdictFailed, ""} {
		p.logDifference(comparison{key: "x", verdict: verdict, difference: &difference{}}, told)
	}
	if n := log.count("key=x"); n != 0 {
		t.Errorf("%d lines", n)
	}
}
