package history_test

import (
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/history"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
)

// A sample has the counts since the sample before.
func ExampleHistory_Sample() {
	var teams metrics.Route
	h := history.New([]string{"/teams/"})
	now := time.Unix(1_800_000_000, 0)
	sample := func() {
		h.Sample(now, history.Reading{Routes: []metrics.Reading{teams.Read()}}, history.Gauges{})
		now = now.Add(history.SampleEvery)
	}
	sample()
	for hits := range 3 {
		for range hits {
			teams.Answered(cache.Hit, time.Millisecond)
		}
		sample()
	}
	for _, s := range h.Between("1h", 0).Samples {
		fmt.Println(s.All.Outcomes[cache.Hit], "hits in", s.Seconds, "s")
	}
	// Output:
	// 0 hits in 10 s
	// 1 hits in 10 s
	// 2 hits in 10 s
}
