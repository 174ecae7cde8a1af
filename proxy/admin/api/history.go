package api

// Outcomes is the number of outcomes that a request can have.
const Outcomes = 7

// History is the answer of /cache/history.
type History struct {
	Now          int64    `json:"now"` // Unix milliseconds
	EverySeconds float64  `json:"every_seconds"`
	Kept         int      `json:"kept"`     // the most samples
	Outcomes     []string `json:"outcomes"` // in the order of Flow.Outcomes
	Samples      []Sample `json:"samples"`
}

// Sample is one point of the history.
type Sample struct {
	At         int64   `json:"at"`      // Unix milliseconds
	Seconds    float64 `json:"seconds"` // since the sample before
	All        Flow    `json:"all"`
	Routes     []Flow  `json:"routes"`      // without idle routes
	PoolInUse  int     `json:"pool_in_use"` // the highest value since the sample before
	RSS        int64   `json:"rss"`
	CacheBytes int64   `json:"cache_bytes"`
	Stale      int64   `json:"stale_entries"`
}

// Flow sums up the requests of a route, or of all routes, between two samples.
type Flow struct {
	Route    string           `json:"route,omitempty"`
	Outcomes [Outcomes]uint32 `json:"outcomes"`
	P50      float32          `json:"p50_ms"`
	P95      float32          `json:"p95_ms"`
	P99      float32          `json:"p99_ms"`
	Fills    uint32           `json:"fills"`
	FillMS   float32          `json:"fill_ms"` // mean
}
