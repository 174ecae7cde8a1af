package measure

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/load/client"
	"github.com/lewistv/xcri-proxy/cmd/internal/load/visitors"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// outcomes are the details of Cache-Status. Without a detail, a failed request counts
// as "failed" and any other answer as "none".
var outcomes = [...]string{"hit", "stale", "stale_error", "miss", "coalesced", "pass", failed, none}

const failed, none = "error", "none"

// Failure is a kind of error, its count, and its first example.
type Failure struct {
	Kind    string `json:"kind"`
	Count   int64  `json:"count"`
	Example string `json:"example"`
}

// tally counts the results of requests. The zero value is empty. It is safe for
// concurrent use.
type tally struct {
	kinds      [visitors.Kinds]Histogram
	statuses   [600]atomic.Int64
	outcomes   [visitors.Kinds][len(outcomes)]atomic.Int64
	bytes      atomic.Int64
	errors     atomic.Int64
	reconnects atomic.Int64

	mu       sync.Mutex
	failures map[string]*Failure
}

// count counts a request after the warm-up. An err that is not about the status or
// body means that the answer is incomplete.
func (t *tally) count(k visitors.Kind, a *client.Answer, took time.Duration, err error) {
	t.kinds[k].Record(took)
	outcome := ""
	if client.IsWhole(err) {
		outcome = string(a.Outcome)
		t.statuses[a.Status].Add(1)
		t.bytes.Add(a.Bytes)
	}
	if !slices.Contains(outcomes[:], outcome) {
		outcome = none
		if err != nil {
			outcome = failed
		}
	}
	t.outcomes[k][slices.Index(outcomes[:], outcome)].Add(1)
}

func (t *tally) fail(target string, err error) {
	t.errors.Add(1)
	kind := client.Kind(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failures == nil {
		t.failures = map[string]*Failure{}
	}
	if t.failures[kind] == nil {
		t.failures[kind] = &Failure{Kind: kind, Example: target + ": " + err.Error()}
	}
	t.failures[kind].Count++
}

// times returns the latencies of all kinds.
func (t *tally) times() *Times {
	all := &Times{}
	for i := range t.kinds {
		all.Add(&t.kinds[i])
	}
	return all
}

// Report is the result of a run. Of the warm-up it counts only errors. Times are in
// seconds, sizes in bytes.
type Report struct {
	Requests  int64   `json:"requests"`
	WarmUp    int64   `json:"warm_up"`
	Seconds   float64 `json:"seconds"` // without the warm-up
	PerSecond float64 `json:"per_second"`
	Faults
	Statuses map[string]int64 `json:"statuses"`
	Outcomes map[string]int64 `json:"outcomes"`  // of Cache-Status
	HitRatio float64          `json:"hit_ratio"` // see api.HitRatio; a failed request is not a hit
	Bytes    int64            `json:"bytes"`     // of the bodies as transferred
	Latency  Latency          `json:"latency"`
	Kinds    []KindReport     `json:"kinds"`

	times *Times // of all requests
}

// Percentile returns the time that a share q of the answers, from 0 to 1, did not
// exceed; zero without answers.
func (out *Report) Percentile(q float64) time.Duration {
	if out.times == nil {
		return 0
	}
	return out.times.Quantile(q)
}

// Faults counts the errors of a run.
type Faults struct {
	Errors     int64     `json:"errors"`
	Failures   []Failure `json:"failures"` // by kind, most first
	Reconnects int64     `json:"reconnects"`
}

// KindReport is the result for a kind of request.
type KindReport struct {
	Kind     string  `json:"kind"`
	Requests int64   `json:"requests"`
	HitRatio float64 `json:"hit_ratio"`
	Latency  Latency `json:"latency"`
}

func (r *run) report(ended time.Time) *Report {
	t, times := &r.tally, r.tally.times()
	out := &Report{Requests: times.Total(), Faults: Faults{Errors: t.errors.Load(), Failures: []Failure{}, Reconnects: t.reconnects.Load()},
		Statuses: map[string]int64{}, Outcomes: map[string]int64{}, Bytes: t.bytes.Load(), Latency: times.Latency(), Kinds: []KindReport{}, times: times}
	out.WarmUp = min(int64(r.opts.WarmUp), r.issued.Load())
	select {
	case <-r.counting:
		out.Seconds = ended.Sub(r.since).Seconds()
	default: // the run ended during the warm-up
	}
	if out.Seconds > 0 {
		out.PerSecond = float64(out.Requests) / out.Seconds
	}
	for _, f := range t.failures {
		out.Failures = append(out.Failures, *f)
	}
	slices.SortFunc(out.Failures, func(a, b Failure) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind)) })
	for status := range t.statuses {
		if n := t.statuses[status].Load(); n > 0 {
			out.Statuses[strconv.Itoa(status)] = n
		}
	}
	out.addKinds(t)
	return out
}

// addKinds adds the figures of each kind, and the sum of the outcomes.
func (out *Report) addKinds(t *tally) {
	for k := range t.kinds {
		of := map[string]int64{}
		for i, name := range outcomes {
			if n := t.outcomes[k][i].Load(); n > 0 {
				of[name] = n
				out.Outcomes[name] += n
			}
		}
		times := &Times{}
		if times.Add(&t.kinds[k]); times.Total() > 0 {
			out.Kinds = append(out.Kinds, KindReport{visitors.Kind(k).String(), times.Total(), api.HitRatio(of), times.Latency()})
		}
	}
	out.HitRatio = api.HitRatio(out.Outcomes)
}
