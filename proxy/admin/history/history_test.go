package history

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
)

var routes = []string{"/teams/", "/athletes/"}

// clock drives a History with samples of counters that only grow.
type clock struct {
	h       *History
	now     time.Time
	teams   metrics.Route
	answers [api.Classes]int64
}

func newClock(at time.Time) *clock {
	c := &clock{h: New(routes), now: at}
	c.sample(0, 0)
	return c
}

// sample adds a sample after some hits, each of which took a time.
func (c *clock) sample(hits int, took time.Duration) {
	for range hits {
		c.teams.Answered(cache.Hit, took)
		c.answers[1]++
	}
	c.h.Sample(c.now, Reading{Routes: []metrics.Reading{c.teams.Read(), {}}, Answers: c.answers}, Gauges{RSS: 1, PoolInUse: 2})
	c.now = c.now.Add(SampleEvery)
}

// hits sums up the hits of samples.
func hits(samples []api.Sample) (n int) {
	for _, s := range samples {
		n += int(s.All.Outcomes[cache.Hit])
	}
	return n
}

// TestSteps holds that each range has its own step, keeps a bounded number of samples,
// ends with finer samples, and counts each request once.
func TestSteps(t *testing.T) {
	c := newClock(time.UnixMilli(1700000000000))
	const taken = 49 * 360 // 49 hours
	for range taken {
		c.sample(1, time.Millisecond)
	}
	for i, want := range []struct {
		name          string
		own, all      int
		covers, least time.Duration
	}{
		{"1h", 360, 360, time.Hour, SampleEvery},
		{"6h", 360, 360 + 5, 6 * time.Hour, SampleEvery},
		{"48h", 288, 288 + 9 + 5, 48 * time.Hour, SampleEvery},
	} {
		past := c.h.Between(want.name, 0)
		if past.Kept != want.own || len(past.Samples) > want.all || len(past.Samples) < want.own {
			t.Errorf("%s: %d samples, %d kept", want.name, len(past.Samples), past.Kept)
		}
		var covered float64
		for n, s := range past.Samples {
			covered += s.Seconds
			if n > 0 && s.At-past.Samples[n-1].At != int64(s.Seconds*1000) {
				t.Fatalf("%s: sample %d is of %v s, %d ms after the one before", want.name, n, s.Seconds, s.At-past.Samples[n-1].At)
			}
		}
		if span := time.Duration(covered) * time.Second; span < want.covers || span > want.covers+10*time.Minute {
			t.Errorf("%s covers %v", want.name, span)
		}
		if n := hits(past.Samples); n != int(covered/SampleEvery.Seconds()) {
			t.Errorf("%s: %d hits in %v s", want.name, n, covered)
		}
		if last := past.Samples[len(past.Samples)-1]; last.At != c.now.Add(-SampleEvery).UnixMilli() {
			t.Errorf("%s ends at %d", want.name, last.At)
		}
		if past.EverySeconds != steps[i].every.Seconds() || !reflect.DeepEqual(past.Ranges, []string{"1h", "6h", "48h"}) {
			t.Errorf("%+v", past)
		}
	}
	if past := c.h.Between("1h", c.now.Add(-4*SampleEvery).UnixMilli()); len(past.Samples) != 3 {
		t.Errorf("%d samples after a moment", len(past.Samples))
	}
	if c.h.Between("7h", 0) != nil {
		t.Error("an unknown range has samples")
	}
}

// TestRecent compares the last five minutes with the hour around the same time of the day
// before, with percentiles of all requests of that hour.
func TestRecent(t *testing.T) {
	c := newClock(time.UnixMilli(1700000000000))
	if r := c.h.Recent(c.now); r.Now != nil || r.Yesterday != nil {
		t.Errorf("of nothing: %+v", r)
	}
	for n := range 26 * 360 {
		switch { // it ends 26 hours after the start; 24 hours before that is the end of hour 2
		case n >= 360+180 && n < 720+180: // the hour around
			c.sample(10, 100*time.Millisecond)
		case n >= 26*360-30: // the last five minutes
			c.sample(2, time.Millisecond)
		default:
			c.sample(1, 10*time.Second)
		}
	}
	r := c.h.Recent(c.now.Add(-SampleEvery))
	if w := r.Now; w == nil || w.Seconds != 300 || w.Requests != 60 || w.Answers != 60 || w.Errors != 0 || w.HitRatio != 1 || w.P95MS > 2 || w.P50MS < 0.5 {
		t.Errorf("now: %+v", w)
	}
	if w := r.Yesterday; w == nil || w.Seconds != 3600 || w.Requests < 3500 || w.P50MS < 60 || w.P50MS > 150 {
		t.Errorf("yesterday: %+v", w)
	}
}

// TestWindow holds that a window of two days counts each request once, with samples of
// any step, and that a window without samples is nil.
func TestWindow(t *testing.T) {
	begun := time.UnixMilli(1700000000000)
	c := newClock(begun)
	for n := range 40 * 360 { // 40 hours
		took := time.Millisecond
		if n < 20*360 {
			took = 100 * time.Millisecond
		}
		c.sample(1, took)
	}
	all, last := c.h.Window(begun, c.now), c.h.Window(c.now.Add(-20*time.Hour), c.now)
	if all == nil || all.Requests != 40*360 || all.Answers != all.Requests {
		t.Fatalf("of 40 hours: %+v", all)
	}
	if last == nil || last.P95MS > 10 || all.P95MS < 50 || last.Requests < 20*360-60 || last.Requests > 20*360+60 {
		t.Errorf("of the last 20 hours: %+v, of all %+v", last, all)
	}
	if w := c.h.Window(begun.Add(-time.Hour), begun); w != nil {
		t.Errorf("before the first sample: %+v", w)
	}
}

// TestPeaks holds that a sample has the highest of the figures since the sample before.
func TestPeaks(t *testing.T) {
	c := newClock(time.UnixMilli(1700000000000))
	for n := range 12 {
		if n == 3 {
			c.h.Glance(Gauges{PoolInUse: 7, Waiting: 90})
			c.h.Glance(Gauges{PoolInUse: 1, Waiting: 1})
		}
		c.sample(0, 0)
	}
	fine := c.h.Between("1h", 0).Samples
	if fine[3].PoolInUse != 7 || fine[3].Waiting != 90 || fine[4].PoolInUse != 2 || fine[4].Waiting != 0 {
		t.Errorf("%+v\n%+v", fine[3], fine[4])
	}
	if minute := c.h.Between("6h", 0).Samples[0]; minute.Seconds != 60 || minute.PoolInUse != 7 || minute.Waiting != 90 {
		t.Errorf("%+v", minute)
	}
}

// TestClockGoesBack holds that the samples stay in their order.
func TestClockGoesBack(t *testing.T) {
	c := newClock(time.UnixMilli(1700000000000))
	for range 20 {
		c.sample(1, time.Millisecond)
	}
	c.now = c.now.Add(-100 * time.Second)
	for range 3 {
		c.sample(1, time.Millisecond)
	}
	samples := c.h.Between("1h", 0).Samples
	for i := 1; i < len(samples); i++ {
		if samples[i].At <= samples[i-1].At {
			t.Fatalf("%d after %d", samples[i].At, samples[i-1].At)
		}
	}
	if last := samples[len(samples)-1].At; last != c.now.Add(-SampleEvery).UnixMilli() {
		t.Errorf("ends at %d", last)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	c := newClock(time.UnixMilli(1700000000000))
	for range 25 * 360 {
		c.sample(1, time.Millisecond)
	}
	at := time.UnixMilli(c.now.UnixMilli()).UTC()
	events := []api.Event{{At: at.Add(-time.Hour), Kind: "publish", Text: "x"}, {At: at.Add(time.Hour), Kind: "publish", Text: "in the future"}}
	if err := c.h.Save(path, events); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 200<<10 || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	next := New(routes)
	if last := next.Last(); !last.IsZero() {
		t.Errorf("%v before the first", last)
	}
	got, err := next.Load(path, c.now)
	if err != nil || !reflect.DeepEqual(got, events[:1]) {
		t.Errorf("%v, %v", got, err)
	}
	for _, name := range Ranges() {
		if a, b := c.h.Between(name, 0), next.Between(name, 0); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %d samples, %d after the load", name, len(a.Samples), len(b.Samples))
		}
	}
	if a, b := c.h.Recent(c.now), next.Recent(c.now); !reflect.DeepEqual(a, b) {
		t.Errorf("%+v, %+v", a, b)
	}
	if !next.Last().Equal(c.h.Last()) {
		t.Error("another last sample")
	}
	// The next run counts from zero, and goes on after a gap.
	resumed := &clock{h: next, now: c.now.Add(time.Minute)}
	resumed.sample(1000, time.Millisecond)
	resumed.sample(1, time.Millisecond)
	if last := next.Between("1h", c.now.UnixMilli()).Samples; len(last) != 1 || last[0].All.Outcomes[cache.Hit] != 1 {
		t.Errorf("%+v", last)
	}
}

// TestFileOfOthers holds that samples which do not belong are left out.
func TestFileOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	c := newClock(time.UnixMilli(1700000000000))
	for range 10 {
		c.sample(1, time.Millisecond)
	}
	if err := c.h.Save(path, nil); err != nil {
		t.Fatal(err)
	}
	half := New([]string{"/athletes/"})
	if _, err := half.Load(path, c.now.Add(-60*time.Second)); err != nil {
		t.Fatal(err)
	}
	samples := half.Between("1h", 0).Samples
	if len(samples) != 5 || len(samples[0].Routes) != 0 {
		t.Errorf("%d samples, routes %+v", len(samples), samples[0].Routes)
	}
}

// TestDamagedFile holds that a file that is damaged, foreign or too large is an error,
// and changes nothing.
func TestDamagedFile(t *testing.T) {
	dir := t.TempDir()
	pack := func(text []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write(text)
		w.Close()
		return b.Bytes()
	}
	c := newClock(time.UnixMilli(1700000000000))
	c.sample(1, time.Millisecond)
	good := filepath.Join(dir, "good")
	if err := c.h.Save(good, nil); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 0x40
	other, _ := json.Marshal(map[string]any{"format": format + 1, "steps": [][]int{{}, {}, {}}})
	for name, content := range map[string][]byte{
		"empty": {}, "cut off": whole[:len(whole)-9], "flipped": flipped, "text": []byte("history"), "another format": pack(other),
		"no JSON": pack([]byte("{")), "fewer steps": pack(fmt.Appendf(nil, `{"format":%d,"steps":[[]]}`, format)),
		"a bomb": pack(bytes.Repeat([]byte(" "), maxText+1)), "too large": make([]byte, maxFile+1),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		h := New(routes)
		if events, err := h.Load(path, c.now); err == nil || events != nil || len(h.Between("1h", 0).Samples) > 0 {
			t.Errorf("%s: %v, %v", name, events, err)
		}
	}
}

// FuzzLoad holds that no file makes Load panic, or keep more than a step may.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"format":1,"steps":[[{"at":1,"seconds":10,"all":{},"routes":[{"route":"/teams/"}],"spread":[1]}],[],[]],"events":[{"at":"2026-01-01T00:00:00Z"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "history")
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		w.Write(text)
		w.Close()
		if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		h := New(routes)
		if _, err := h.Load(path, time.UnixMilli(1<<41)); err != nil {
			return
		}
		for i, name := range Ranges() {
			last := int64(-1 << 62)
			for _, s := range h.Between(name, -1<<62).Samples {
				if s.At <= last || s.Seconds <= 0 {
					t.Errorf("%s: %+v", name, s)
				}
				last = s.At
			}
			if len(h.series[i].points) > steps[i].kept {
				t.Errorf("%s: %d samples", name, len(h.series[i].points))
			}
		}
		h.Recent(time.UnixMilli(1 << 41))
	})
}
