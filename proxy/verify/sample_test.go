package verify

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/compare"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/store"
)

// offer loads the answer of a key and offers it.
func (v *Verifier) offer(t testing.TB, key string) {
	t.Helper()
	q := v.question(t, key)
	answer, err := v.opts.Store.Run(t.Context(), q.Query)
	if err != nil {
		t.Fatal(err)
	}
	v.Offer(q, answer)
}

// A difference because of an import in between does not count as different.
func TestSampledImport(t *testing.T) {
	var loads atomic.Int64
	v := newVerifier(t, Options{
		Share: 1, Legacy: oldSays(t, 200, `{"n":2}`),
		Store: database(func(context.Context, store.Query) (store.Answer, error) {
			return store.Answer{Status: 200, Body: fmt.Appendf(nil, `{"n":%d}`, min(2, loads.Add(1)))}, nil
		}),
	})
	v.run(t)
	v.offer(t, "/teams/")
	if stats := v.awaitSamples(t, 1); stats.Verdicts["same_bytes"] != 1 || loads.Load() != 2 {
		t.Errorf("%+v after %d loads", stats, loads.Load())
	}
}

// With an old API that hangs, Offer returns immediately, and answers that find no
// room are dropped. The end of Run ends the comparison.
func TestSamplingNeverWaits(t *testing.T) {
	large := `{"x":"` + strings.Repeat("x", 1<<20) + `"}`
	for name, tt := range map[string]struct {
		body string
		kept int64 // at most, beside the comparison under way
	}{"many": {`{}`, maxQueued}, "large": {large, maxQueuedBytes >> 20}} {
		t.Run(name, func(t *testing.T) {
			const loads = 40
			v := newVerifier(t, Options{Share: 1, Store: says(tt.body), Legacy: proxytest.OldAPI(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })})
			v.run(t)
			for n := range loads {
				v.offer(t, fmt.Sprintf("/teams/%d", n))
			}
			dropped := v.Stats().Dropped
			if dropped < loads-tt.kept-1 || dropped >= loads {
				t.Errorf("%d of %d dropped", dropped, loads)
			}
			if waiting := int64(len(v.samples.queue)); waiting > tt.kept {
				t.Errorf("%d wait", waiting)
			}
		})
	}
}

// About as many answers are sampled as Share says. That the test fails by chance is
// less likely than 1 in 10^12.
func TestShareOfSamples(t *testing.T) {
	const loads = 10_000
	v := newVerifier(t, Options{Share: 0.25, Store: says(`{}`), Legacy: oldSays(t, 200, `{}`)})
	q := v.question(t, "/teams/")
	for range loads {
		v.Offer(q, store.Answer{Status: 200, Body: []byte(`{}`)})
	}
	taken := int(v.Stats().Dropped) + len(v.samples.queue)
	if taken < loads*22/100 || taken > loads*28/100 {
		t.Errorf("%d of %d", taken, loads)
	}
}

// A sample that can't be compared is counted, not logged as a warning, and does not
// stop Run.
func TestSampleFails(t *testing.T) {
	for name, tt := range map[string]struct {
		store  Store
		status int
		want   string
	}{
		"an error of the old API":                  {says(`{}`), 500, "failed"},
		"a difference, and no connection to spare": {crowded{says(`{}`)}, 200, "dropped"},
		"the same, and no connection to spare":     {crowded{says(`{"old":true}`)}, 200, "same_bytes"},
		"a panic the second time":                  {panicsTheSecondTime(), 200, "dropped"},
	} {
		t.Run(name, func(t *testing.T) {
			log, panics := &proxytest.Log{}, atomic.Int64{}
			v := newVerifier(t, Options{
				Share: 1, Store: tt.store, Legacy: oldSays(t, tt.status, `{"old":true}`),
				OnPanic: func() { panics.Add(1) }, Logger: log.Logger(),
			})
			v.run(t)
			v.offer(t, "/teams/")
			stats := v.awaitSamples(t, 1)
			if stats.Verdicts[tt.want]+stats.Dropped != 1 || (tt.want == "dropped") != (stats.Dropped == 1) {
				t.Errorf("%+v", stats)
			}
			if n := log.Count("level=WARN"); n != 0 {
				t.Errorf("%d warnings:\n%s", n, log)
			}
			if n := panics.Load(); (n == 1) != strings.HasPrefix(name, "a panic") {
				t.Errorf("%d panics", n)
			}
		})
	}
}

func panicsTheSecondTime() database {
	var n atomic.Int64
	return func(context.Context, store.Query) (store.Answer, error) {
		if n.Add(1) == 2 {
			panic("in the store")
		}
		return store.Answer{Status: 200, Body: []byte(`{}`)}, nil
	}
}

func TestPauseAfter(t *testing.T) {
	pause := minPause
	var all []time.Duration
	for range 8 {
		pause = pauseAfter(pause, Failed)
		all = append(all, pause/time.Second)
	}
	if got := fmt.Sprint(all); got != "[1ns 2ns 4ns 8ns 16ns 32ns 60ns 60ns]" {
		t.Error(got)
	}
	if pause = pauseAfter(pause, compare.Different); pause != minPause {
		t.Errorf("an answer: %v", pause)
	}
}

// The difference of a key is logged once in repeatAfter, and the memory of the logged keys
// is bounded.
func TestDifferencesAreLoggedOnceInAWhile(t *testing.T) {
	log, logged := &proxytest.Log{}, map[string]time.Time{}
	v := newVerifier(t, Options{Store: says(`{}`), Logger: log.Logger()})
	differs := func(key string) {
		v.logDifference(Comparison{Key: key, Verdict: compare.Different, Difference: &Difference{}}, logged)
	}
	for range 3 {
		differs("/teams/1")
		differs("/teams/2")
	}
	if n := log.Count("differently"); n != 2 {
		t.Errorf("%d lines", n)
	}
	logged["/teams/1"] = time.Now().Add(-repeatAfter)
	if differs("/teams/1"); log.Count("differently") != 3 {
		t.Error("not logged again after a while")
	}
	for n := range 3 * maxRemembered {
		differs(fmt.Sprint(n))
	}
	if len(logged) > maxRemembered {
		t.Errorf("%d keys remembered", len(logged))
	}
	for _, verdict := range []compare.Verdict{compare.SameBytes, compare.SameButOrder, Failed, ""} {
		v.logDifference(Comparison{Key: "x", Verdict: verdict, Difference: &Difference{}}, logged)
	}
	if n := log.Count("key=x"); n != 0 {
		t.Errorf("%d lines", n)
	}
}
