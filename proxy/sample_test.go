package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

// awaitSamples waits until n samples were compared or dropped, and returns the
// counters.
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

// TestSampling: loads from the store are compared in the background. Each difference
// is counted; it is logged once for each key.
func TestSampling(t *testing.T) {
	const target = "/teams/?season_year=2025&division=2030&gender=M"
	opts, log := realOptions(t), &proxytest.Log{}
	answer, err := opts.Origin.Run(t.Context(), keyQuery(t, target))
	if err != nil {
		t.Fatal(err)
	}
	body := string(answer.Body)
	wrong := strings.Replace(body, `"team_rank":2,`, `"team_rank":3,`, 1)
	var says atomic.Value
	says.Store(body)
	opts.VerifySample, opts.Logger = 1, log.Logger()
	opts.Legacy = proxytest.OldAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != target {
			t.Errorf("asked for %s", r.RequestURI)
		}
		legacyAnswer(w, 200, says.Load().(string))
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
	await(t, "a line in the log", func() bool { return log.Count("the old API answers differently") > 0 })
	if n := log.Count("results[1].team_rank store=2 legacy=3"); n != 1 || log.Count("the old API answers differently") != 1 {
		t.Errorf("logged %d times:\n%s", n, log)
	}
}

// listenUnwarmed serves p with a comparer of samples, but without a watcher: only
// requests of the test cause loads.
func listenUnwarmed(t testing.TB, p *Proxy) (base string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.verify.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Error("the comparer goes on")
		}
	})
	return serveUnwatched(t, p)
}

func serveUnwatched(t testing.TB, p *Proxy) (base string) {
	t.Helper()
	ln := port.Held(t)
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

// TestNotSampled: without a share or an old API no load is compared. Answers of the
// old API and answers that contain the time are never compared.
func TestNotSampled(t *testing.T) {
	old := says(t, 200, `{}`)
	for name, tt := range map[string]struct {
		opts Options
		key  string
	}{
		"no share":       {Options{Legacy: old}, "/teams/"},
		"no old API":     {Options{VerifySample: 1}, "/teams/"},
		"of the old API": {Options{VerifySample: 1, Legacy: old, Sources: origin.Options{Source: origin.FromLegacy}}, "/teams/"},
		"the row counts": {Options{VerifySample: 1, Legacy: old}, route.HealthPath},
		"a failed load":  {Options{VerifySample: 1, Legacy: old, Origin: &fakeOrigin{run: hang}}, "/teams/"},
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
			if (err != nil) != (name == "a failed load") || p.verify.Stats().Queued != 0 || p.Stats().Verify.Dropped != 0 {
				t.Errorf("%v, %d wait, %+v", err, p.verify.Stats().Queued, p.Stats().Verify)
			}
		})
	}
}
