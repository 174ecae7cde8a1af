package proxy

import (
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
)

// counts are those that belong to no route.
type counts struct {
	rejected    atomic.Int64 // requests with a bad parameter
	passed      atomic.Int64 // requests for the old API
	notModified atomic.Int64 // answers that the client had already
	inflated    atomic.Int64 // bodies decompressed for a client without gzip
	panics      atomic.Int64

	siteRequests atomic.Int64
	siteMissing  atomic.Int64 // requests for files that are not there, or not for anybody
}

// figures are those of one route.
type figures struct {
	outcomes [cache.Outcomes]atomic.Int64
	fill     durations
	loads    [FromAuto]struct{ ok, failed atomic.Int64 } // by where they were from
	latency  latencies                                   // from the request to its answer
}

// durations sums up how long something takes.
type durations struct {
	count, total, longest, latest atomic.Int64 // the last three in nanoseconds
	failed                        atomic.Int64
}

// stopwatch measures one run of something.
type stopwatch struct {
	of    *durations
	begun time.Time
}

func (d *durations) start() stopwatch { return stopwatch{d, time.Now()} }

func (s stopwatch) stop() {
	took := int64(time.Since(s.begun))
	s.of.count.Add(1)
	s.of.total.Add(took)
	s.of.latest.Store(took)
	for longest := s.of.longest.Load(); took > longest; longest = s.of.longest.Load() {
		if s.of.longest.CompareAndSwap(longest, took) {
			return
		}
	}
}
