package api

import "time"

// Stats is the answer of /cache/stats. Counts are since the start; times are in
// milliseconds, sizes in bytes.
type Stats struct {
	Program
	Generation Generation `json:"generation"`
	Traffic
	Sources Sources `json:"sources"`
	Cache   Cache   `json:"cache"`
	Loading []Load  `json:"loading"` // fills that have not ended, the oldest first, at most 50
	Site    Site    `json:"site"`
	Origins
	Fleet  *Fleet `json:"fleet"` // null without a shared level
	Memory Memory `json:"memory"`
	Verify Verify `json:"verify"`
	Notable
}

// Program describes the running program.
type Program struct {
	Version       string  `json:"version"`
	Go            string  `json:"go"`
	UptimeSeconds float64 `json:"uptime_seconds"`
	// LogDropped counts the lines of the process's log that were dropped, because its
	// reader was too slow or gone.
	LogDropped int64 `json:"log_lines_dropped"`

	// Conditions describe the state of the service, the gravest first. There is always
	// at least one.
	Conditions []Condition `json:"conditions"`

	// Maintenance is null while maintenance mode is off.
	Maintenance *Maintenance `json:"maintenance"`
}

// Traffic counts the requests, of all routes and of each.
type Traffic struct {
	Requests Requests         `json:"requests"`
	Routes   map[string]Route `json:"routes"`
	Fronts   []Front          `json:"fronts"` // caches in front that are purged by tag
}

// Origins describes the connections to both origins.
type Origins struct {
	Pool   Pool    `json:"pool"`
	Legacy *Legacy `json:"legacy"` // null without an old API
}

// Notable lists the keys, the changes and the requests that explain the figures.
type Notable struct {
	Hottest []HotKey  `json:"hottest"` // the most requested keys
	Events  []Event   `json:"events"`  // the latest, the oldest first
	Slowest []Request `json:"slowest"` // of the last 24 hours, the slowest first
}

// Generation describes the published generation and the entries that are not of
// it.
type Generation struct {
	ID          string           `json:"id"`
	Published   *time.Time       `json:"published_at"`
	Confirmed   *time.Time       `json:"confirmed_at"` // when a poll last returned it
	DownSince   *time.Time       `json:"down_since"`   // null while the database answers
	StaleCount  int64            `json:"stale_entries"`
	StaleSince  *time.Time       `json:"stale_since"` // to 10 s; null while there are none
	StaleRoutes map[string]Stale `json:"stale_routes"`
	Warm        WarmStatus       `json:"warm"`
	Tables      []Table          `json:"tables"`
}

// Table describes the changes of one table that no calculation reports.
type Table struct {
	Name string `json:"name"`
	// Recorded reports whether the server records changes of the table's rows. If
	// not, its entries become stale after DATA_MAX_AGE.
	Recorded bool `json:"recorded"`
	// Changing is when the first change was seen that has not settled.
	Changing *time.Time `json:"changing_since"`
	Held     string     `json:"held,omitempty"` // why a change is held back
}

// Stale counts the stale entries of one route.
type Stale struct {
	Entries int64      `json:"entries"`
	Oldest  *time.Time `json:"oldest_filled_at"`
}

// HitRatio returns the share of requests that were answered from the cache (hit,
// stale, stale_error) among all that the cache handled (miss, coalesced and error
// too). It is zero if there were none. Requests that pass the cache do not count.
func HitRatio(outcomes map[string]int64) float64 {
	hits := outcomes["hit"] + outcomes["stale"] + outcomes["stale_error"]
	all := hits + outcomes["miss"] + outcomes["coalesced"] + outcomes["error"]
	return float64(hits) / float64(max(1, all))
}

// Requests counts the requests of all routes.
type Requests struct {
	Outcomes map[string]int64 `json:"outcomes"`
	// Statuses counts the answers to visitors by status code, also the answers of the
	// site and of the old API.
	Statuses    map[string]int64 `json:"answers_by_status"`
	HitRatio    float64          `json:"hit_ratio"` // see the function HitRatio
	NotModified int64            `json:"not_modified"`
	Rejected    int64            `json:"rejected"` // 422
	Inflated    int64            `json:"inflated"` // sent without a coding, from a compressed body
	Panics      int64            `json:"panics"`
	Open        int64            `json:"open_connections"`
	Refusals
	Latency Latency `json:"latency"`
	// LogDropped counts the lines that the access log could not take.
	LogDropped int64 `json:"access_log_dropped"`
}

// Refusals counts connections and requests that were refused.
type Refusals struct {
	// Refused counts the connections that were refused, with a 503 or by closing them,
	// because too many were open.
	Refused int64 `json:"refused_connections"`
	// AdminRefused counts the requests for admin pages that were refused, by cause.
	AdminRefused map[string]int64 `json:"admin_refused"`
	// ClientRefused counts the requests that got a 429 because their client waited for
	// too many fills, by the limit.
	ClientRefused map[string]int64 `json:"client_refused"`
	// ClientLimits are these limits; zero means no limit.
	ClientLimits map[string]int64 `json:"client_limits"`
}

// Route counts the requests of one route.
type Route struct {
	Outcomes map[string]int64 `json:"outcomes"`
	Fills    Fills            `json:"fills"`
	Latency  Latency          `json:"latency"`
	// Loads are the loads of the fills by source; one fill may ask both.
	Loads map[string]Loads `json:"loads"`
}

// Latency holds percentiles of the time from a request to its answer.
type Latency struct {
	Count int64   `json:"count"`
	P50MS float64 `json:"p50_ms"`
	P95MS float64 `json:"p95_ms"`
	P99MS float64 `json:"p99_ms"`
}

// Loads counts the loads of one route from one source.
type Loads struct {
	OK     int64 `json:"ok"`
	Failed int64 `json:"failed"`
}

// Fills counts the fills of one route.
type Fills struct {
	Count    int64   `json:"count"`
	Failed   int64   `json:"failed"`
	MeanMS   float64 `json:"mean_ms"`
	MaxMS    float64 `json:"max_ms"`
	LatestMS float64 `json:"latest_ms"`
}

// Site counts the requests for files of the site. All are zero without a site.
type Site struct {
	Requests int64 `json:"requests"`
	Missing  int64 `json:"missing"` // 404
	Files    int64 `json:"files"`   // in memory
	Bytes    int64 `json:"bytes"`   // of these files in all their forms
	// Preloads are the pages whose answers name the list that they request, the most
	// visited first.
	Preloads []Preload `json:"preloads"`
}

// Preload is a page whose answer names a list.
type Preload struct {
	Page   string `json:"page"`
	List   string `json:"list"`
	Visits int    `json:"visits"` // recent visits that were observed
	Asked  int    `json:"asked"`  // visits among them that requested the list
}

// HotKey is a key that is requested often.
type HotKey struct {
	Key     string `json:"key"`
	Asked   uint32 `json:"asked"`   // requests, halved with each refresh and publish
	Where   string `json:"where"`   // warm, or the name of a shelf
	Outcome string `json:"outcome"` // that a request would have now
}

// Cache describes the cache. Bytes, Budget and Entries are the sums of the
// shelves.
type Cache struct {
	Bytes   int64            `json:"bytes"`
	Budget  int64            `json:"budget"`
	Entries int64            `json:"entries"`
	Shelves map[string]Shelf `json:"shelves"`
	FillCounts
	Lanes map[string]Lane `json:"lanes"`
}

// FillCounts counts the fills of all routes and the requests that wait for them.
type FillCounts struct {
	Fills     int64 `json:"fills"`
	Failures  int64 `json:"fill_failures"`
	Refreshes int64 `json:"refreshes"`
	Panics    int64 `json:"fill_panics"`
	Filling   int64 `json:"filling"`         // now
	Waiting   int64 `json:"waiting"`         // now
	Abandoned int64 `json:"fills_abandoned"` // searches that no request waited for any more
}

// Phases of a Load.
const (
	PhaseQueued  = "queued"  // it waits for its turn
	PhaseFilling = "filling" // it loads from its source
)

// Load describes a fill that has not ended.
type Load struct {
	Key     string  `json:"key"`
	Route   string  `json:"route"`
	Lane    string  `json:"lane"`
	Table   string  `json:"table"`   // that it mostly reads; empty for none
	Client  string  `json:"client"`  // that requested it first; empty for a refresh or a warm-up
	Request string  `json:"request"` // the ID of that request
	Phase   string  `json:"phase"`
	AgeMS   float64 `json:"age_ms"`  // of the load: the sum of its phases, with its waits
	Waiting int     `json:"waiting"` // requests that wait for it
	Step    string  `json:"step"`    // the present phase, such as query
	Phases  Phases  `json:"phases"`  // so far
}

// Lane describes the fills of one lane.
type Lane struct {
	Running int64 `json:"running"`
	Queued  int64 `json:"queued"`
}

// Shelf describes a part of the cache.
type Shelf struct {
	Name     string `json:"-"`
	Budget   int64  `json:"budget"`
	Bytes    int64  `json:"bytes"`
	Entries  int64  `json:"entries"`
	Evicted  int64  `json:"evicted"`
	Rejected int64  `json:"rejected"`
	TooLarge int64  `json:"too_large"`
	Dropped  int64  `json:"dropped"`
}

// Pool describes the connections to the database.
type Pool struct {
	Limit    int     `json:"limit"`
	Open     int     `json:"open"`
	InUse    int     `json:"in_use"`
	Waits    int64   `json:"waits"`
	Refused  int64   `json:"refused"` // connections that the server did not grant
	WaitedMS float64 `json:"waited_ms"`
}

// Legacy describes the connections to the old API.
type Legacy struct {
	Requests int64   `json:"requests"`
	Failures int64   `json:"failures"` // without a usable answer
	Timeouts int64   `json:"timeouts"` // failures by a timeout
	Resent   int64   `json:"resent"`   // sent again over a new connection
	Answered int64   `json:"answered"`
	MeanMS   float64 `json:"mean_ms"` // of the answered
	InUse    int     `json:"in_use"`
	Limit    int     `json:"limit"`
}

// Memory describes the process's memory.
type Memory struct {
	RSS int64 `json:"rss"`
	// Used is all that Budget, the limit of the process, counts: RSS and the memory
	// files. A budget of zero means no limit.
	Used   int64 `json:"used"`
	Budget int64 `json:"budget"`
	Heap   int64 `json:"heap"`
	Limit  int64 `json:"limit"` // of the Go runtime
	// Files are memory files, which hold large answers outside the heap.
	Files     int64 `json:"files"`
	FileBytes int64 `json:"file_bytes"`
	// Requests are the bodies and long heads of requests, the old API's answers to them,
	// and the bodies that are inflated while they are sent. RequestsRefused counts the
	// requests that RequestsLimit had no room for.
	Requests        int64 `json:"requests"`
	RequestsLimit   int64 `json:"requests_limit"`
	RequestsRefused int64 `json:"requests_refused"`
}
