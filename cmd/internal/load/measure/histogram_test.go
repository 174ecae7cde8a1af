package measure

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestPrecision holds that each time up to a minute is kept to 1 %, and that longer times
// count as the longest, while the extremes are exact.
func TestPrecision(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	times := []time.Duration{0, 1, 127, 128, 255, 256, 257, time.Microsecond, time.Minute, longest - 1, longest}
	for range 1000 {
		times = append(times, time.Duration(math.Exp(r.Float64()*math.Log(float64(time.Minute)))))
	}
	for _, took := range times {
		var h Histogram
		var kept Times
		h.Record(took)
		h.Record(2 * longest) // so that the extremes do not bound the quantile
		h.Record(0)
		kept.Add(&h)
		got := kept.Quantile(.5)
		if off := math.Abs(float64(got - took)); off > 0.01*float64(took) {
			t.Errorf("%d ns is kept as %d ns", took, got)
		}
		if kept.Total() != 3 || kept.Latency().Max != (2*longest).Seconds() {
			t.Errorf("%d times, at most %v s", kept.Total(), kept.Latency().Max)
		}
	}
}

// TestSameTime: the quantiles of a single time are that time.
func TestSameTime(t *testing.T) {
	var h Histogram
	var times Times
	times.Add(&h)
	if times.Total() != 0 || times.Since(&Times{}).Total() != 0 {
		t.Errorf("%d times without one", times.Total())
	}
	h.Record(1234567)
	times.Add(&h)
	if got := times.Quantile(.99); got != 1234567 || times.Since(&Times{}).Total() != 1 {
		t.Errorf("%v", got)
	}
}

func TestQuantiles(t *testing.T) {
	var h Histogram
	var recording sync.WaitGroup
	for part := range 4 { // 1 to 10,000 ms, each once
		recording.Go(func() {
			for ms := part + 1; ms <= 10_000; ms += 4 {
				h.Record(time.Duration(ms) * time.Millisecond)
			}
		})
	}
	recording.Wait()
	var times Times
	times.Add(&h)
	if times.Total() != 10_000 {
		t.Fatalf("%d times", times.Total())
	}
	for q, want := range map[float64]time.Duration{
		0: time.Millisecond, .5: 5 * time.Second, .9: 9 * time.Second, .99: 9900 * time.Millisecond, .999: 9990 * time.Millisecond, 1: 10 * time.Second,
	} {
		if got := times.Quantile(q); math.Abs(float64(got-want)) > .01*float64(want) {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if l := times.Latency(); l.Min != .001 || l.Max != 10 {
		t.Errorf("from %v to %v s, want the very times", l.Min, l.Max)
	}
}

func TestTimesSince(t *testing.T) {
	var h Histogram
	if got := (&Times{}).Quantile(.99); got != 0 {
		t.Errorf("the quantile of nothing is %v", got)
	}
	h.Record(-time.Second) // the clock was set back
	h.Record(time.Second)
	var before, after Times
	before.Add(&h)
	h.Record(2 * time.Second)
	after.Add(&h)
	since := after.Since(&before)
	if got := since.Quantile(.5).Seconds(); since.Total() != 1 || math.Abs(got-2) > .02 {
		t.Errorf("%d times since then, the middle one %v s", since.Total(), got)
	}
	if after.Latency().Min != 0 {
		t.Errorf("the shortest took %v s", after.Latency().Min)
	}
}
