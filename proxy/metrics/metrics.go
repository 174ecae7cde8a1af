// Package metrics counts requests, fills and loads, and how long they take.
package metrics

import (
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// Metrics holds the counters of a proxy. It is safe for concurrent use.
type Metrics struct {
	Rejected atomic.Int64 // requests with a wrong parameter
	Passed   atomic.Int64 // requests for the old API
	Inflated atomic.Int64 // bodies decompressed for a client that takes no coding
	Panics   atomic.Int64

	// Statuses counts the answers to visitors: all but admin pages and probes.
	Statuses Statuses

	LastFailure atomic.Pointer[Failure] // nil before the first

	SiteRequests atomic.Int64
	SiteMissing  atomic.Int64 // requests for site files that do not exist or are not public

	routes []Route
}

// New returns the counters for a number of routes.
func New(routes int) *Metrics { return &Metrics{routes: make([]Route, routes)} }

// Route returns the counters of one route.
func (m *Metrics) Route(id route.ID) *Route { return &m.routes[id] }

// Failure is a load that failed.
type Failure struct {
	At    time.Time
	Route string
	Err   error
}

// Sources is the number of sources for which the loads of a route are counted.
const Sources = 2

// Route holds the counters of one route.
type Route struct {
	Fills   Durations
	Loads   [Sources]Loads // by source
	answers [cache.Outcomes]Latencies
}

// Answered counts an answer, and the time from its request to it.
func (r *Route) Answered(o cache.Outcome, took time.Duration) { r.answers[o].Record(took) }

// Loads counts the loads from one source.
type Loads struct{ OK, Failed atomic.Int64 }

// Reading holds the counts of a route at one moment, or between two moments.
type Reading struct {
	Outcomes [cache.Outcomes]int64
	Latency  Spread
	Took     time.Duration // from the requests to their answers, all together
	Fills    int64
	FillTime time.Duration // of all fills together
}

// Read returns the counts of this moment.
func (r *Route) Read() (now Reading) {
	for o := range now.Outcomes {
		spread := r.answers[o].Read()
		now.Outcomes[o] = spread.Count()
		now.Latency.Add(&spread)
		now.Took += r.answers[o].Total()
	}
	now.Fills, now.FillTime = r.Fills.count.Load(), time.Duration(r.Fills.total.Load())
	return now
}

// Since returns the counts from an earlier reading to r.
func (r *Reading) Since(earlier *Reading) (d Reading) {
	for o := range r.Outcomes {
		d.Outcomes[o] = r.Outcomes[o] - earlier.Outcomes[o]
	}
	d.Latency = r.Latency.Since(&earlier.Latency)
	d.Took, d.Fills, d.FillTime = r.Took-earlier.Took, r.Fills-earlier.Fills, r.FillTime-earlier.FillTime
	return d
}

// Add adds the counts of another reading to r.
func (r *Reading) Add(o *Reading) {
	for i := range r.Outcomes {
		r.Outcomes[i] += o.Outcomes[i]
	}
	r.Latency.Add(&o.Latency)
	r.Took += o.Took
	r.Fills += o.Fills
	r.FillTime += o.FillTime
}
