package api

// Outcomes is the number of outcomes that a request can have.
const Outcomes = 7

// Classes is the number of classes of status codes, from 1xx to 5xx.
const Classes = 5

// History is the answer of /cache/history.
type History struct {
	Now          int64    `json:"now"` // Unix milliseconds
	Range        string   `json:"range"`
	Ranges       []string `json:"ranges"`        // all values of Range
	EverySeconds float64  `json:"every_seconds"` // of the range's own samples; the newest are denser
	Kept         int      `json:"kept"`          // the most samples of the range that are kept
	Outcomes     []string `json:"outcomes"`      // in the order of Flow.Outcomes
	Samples      []Sample `json:"samples"`
	Recent       Recent   `json:"recent"`
	// Period sums up the time between the parameters from and to; null without them, or
	// without a sample.
	Period *Window `json:"period"`
}

// Sample is one point of the history.
type Sample struct {
	At         int64           `json:"at"`      // Unix milliseconds
	Seconds    float64         `json:"seconds"` // since the sample before
	All        Flow            `json:"all"`
	Routes     []Flow          `json:"routes"`           // without idle routes
	Answers    [Classes]uint32 `json:"answers_by_class"` // answers to visitors, by class of status code, 1xx first
	PoolInUse  int             `json:"pool_in_use"`      // the highest value since the sample before
	Waiting    int64           `json:"waiting"`          // requests, the highest value since the sample before
	RSS        int64           `json:"rss"`
	Memory     int64           `json:"memory_used"` // as in Memory.Used
	CacheBytes int64           `json:"cache_bytes"`
	Stale      int64           `json:"stale_entries"`
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

// Recent compares the requests of the last five minutes with the hour around the same
// time yesterday.
type Recent struct {
	Now       *Window `json:"last_5_minutes"` // null before the first sample
	Yesterday *Window `json:"yesterday"`      // null without samples of at least half of that hour
}

// Window sums up the requests of a time.
type Window struct {
	From     int64   `json:"from"` // Unix milliseconds
	Seconds  float64 `json:"seconds"`
	Requests int64   `json:"requests"` // of the read API and of the old API
	HitRatio float64 `json:"hit_ratio"`
	Answers  int64   `json:"answers"` // to visitors, files of the site too
	Errors   int64   `json:"errors"`  // of them with a status from 500 on
	P50MS    float64 `json:"p50_ms"`
	P95MS    float64 `json:"p95_ms"`
	P99MS    float64 `json:"p99_ms"`
	Fills    int64   `json:"fills"`
	FillMS   float64 `json:"fill_ms"` // mean
}
