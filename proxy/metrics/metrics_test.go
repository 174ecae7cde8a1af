package metrics

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
)

func TestLatencyBuckets(t *testing.T) {
	for i, bound := range bounds {
		for ns, want := range map[int64]int{bound - 1: i, bound: i, bound + 1: i + 1} {
			if got := bucket(ns); got != want {
				t.Errorf("%d ns: bucket %d, want %d", ns, got, want)
			}
		}
		if i > 0 && math.Abs(float64(bound)/float64(bounds[i-1])-math.Sqrt2) > 0.01 {
			t.Errorf("bound %d is %d after %d", i, bound, bounds[i-1])
		}
	}
	for ns, want := range map[int64]int{-5: 0, 0: 0, 1: 0, math.MaxInt64: Bounds, int64(time.Hour): Bounds} {
		if got := bucket(ns); got != want {
			t.Errorf("%d ns: bucket %d, want %d", ns, got, want)
		}
	}
	if first, last := bounds[0], time.Duration(bounds[Bounds-1]); first != 1024 || last < 30*time.Second {
		t.Errorf("from %d ns to %v", first, last)
	}
}

// TestPercentiles compares with the times themselves: a bucket is 41 % wide.
func TestPercentiles(t *testing.T) {
	for name, took := range map[string]func(i int) time.Duration{
		"all the same": func(int) time.Duration { return 3 * time.Millisecond },
		"even":         func(i int) time.Duration { return time.Duration(i+1) * time.Microsecond },
		"a long tail":  func(i int) time.Duration { return time.Duration(math.Exp(float64(i)/80)) * 2 * time.Microsecond },
	} {
		t.Run(name, func(t *testing.T) {
			var l Latencies
			var all []time.Duration
			for i := range 1000 {
				all = append(all, took(i))
				l.Record(took(i))
			}
			slices.Sort(all)
			s := l.Read()
			for _, share := range []float64{0.01, 0.5, 0.95, 0.99, 1} {
				want := all[int(math.Ceil(share*1000))-1].Seconds() * 1000
				if got := s.Percentile(share); got < want/1.42 || got > want*1.42 {
					t.Errorf("p%v is %v ms, want about %v", share*100, got, want)
				}
			}
			if s.Count() != 1000 {
				t.Errorf("%d", s.Count())
			}
		})
	}
	var none Spread
	if got := none.Percentile(0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	var endless Latencies
	endless.Record(time.Hour)
	s := endless.Read()
	if got := s.Percentile(0.5); got != milliseconds(bounds[Bounds-1]) {
		t.Errorf("of an hour: %v", got)
	}
}

// TestReading: the counts between two readings are their difference, and differences add
// up.
func TestReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(2)
		r := m.Route(1)
		count := func(outcome cache.Outcome, times int) {
			for range times {
				r.Answered(outcome, time.Millisecond)
				timer := r.Fills.Start()
				time.Sleep(time.Second)
				timer.Stop()
			}
		}
		first := r.Read()
		count(0, 2)
		second := r.Read()
		count(1, 3)
		third := r.Read()
		one, two, all := second.Since(&first), third.Since(&second), third.Since(&first)
		if one.Outcomes[0] != 2 || one.Outcomes[1] != 0 || one.Fills != 2 || one.FillTime != 2*time.Second || one.Latency.Count() != 2 {
			t.Errorf("%+v", one)
		}
		if two.Outcomes[0] != 0 || two.Outcomes[1] != 3 || two.Fills != 3 || two.FillTime != 3*time.Second || two.Latency.Count() != 3 {
			t.Errorf("%+v", two)
		}
		one.Add(&two)
		if one != all {
			t.Errorf("%+v, want %+v", one, all)
		}
		if other := m.Route(0).Read(); other != (Reading{}) {
			t.Errorf("of another route: %+v", other)
		}
		if total := r.Read().Took; total != 5*time.Millisecond {
			t.Errorf("%v in total", total)
		}
	})
}

// TestDurations: the time of a run that failed does not count.
func TestDurations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d Durations
		for _, took := range []time.Duration{2 * time.Second, 5 * time.Second, time.Second} {
			timer := d.Start()
			time.Sleep(took)
			timer.Stop()
		}
		timer := d.Start()
		time.Sleep(time.Minute)
		timer.Fail()
		want := DurationStats{Count: 3, Failed: 1, Total: 8 * time.Second, Longest: 5 * time.Second, Latest: time.Second}
		if got := d.Stats(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}
