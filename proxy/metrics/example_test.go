package metrics_test

import (
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/metrics"
)

func ExampleLatencies() {
	var l metrics.Latencies
	for range 98 {
		l.Record(2 * time.Millisecond)
	}
	l.Record(40 * time.Millisecond)
	l.Record(time.Second)
	s := l.Read()
	fmt.Println(s.Count(), s.Percentile(.5) < 4, s.Percentile(.99) > 20, s.Over(500*time.Millisecond))
	// Output:
	// 100 true true 1
}
