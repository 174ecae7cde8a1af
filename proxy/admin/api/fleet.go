package api

import "time"

// Fleet describes the proxies that share a level, and the level as this proxy sees it. It
// is null in the stats of a proxy without one.
type Fleet struct {
	Members []Member `json:"members"` // that are alive, by name
	SharedLink
	SharedTraffic
	SharedFaults
	Latency Latency `json:"latency"` // of all operations
}

// Member is a proxy of a fleet.
type Member struct {
	Name       string     `json:"name"`
	Own        bool       `json:"own"` // the proxy that reports
	Version    string     `json:"version"`
	Generation string     `json:"generation"`    // published
	Calculated string     `json:"calculated_at"` // its newest calculation
	Health     string     `json:"health"`        // the code of its gravest condition
	Behind     *time.Time `json:"behind_since"`  // null unless another proxy has published a newer generation
}

// SharedLink describes the circuit breaker before the level.
type SharedLink struct {
	State    string     `json:"breaker"`          // BreakerClosed, or BreakerOpen while the level is away
	Since    *time.Time `json:"since"`            // the last switch
	Reason   string     `json:"reason,omitempty"` // why it is open
	Switches int64      `json:"opened"`           // how often it has opened
}

// SharedTraffic counts the lookups and the values.
type SharedTraffic struct {
	Hits    int64 `json:"hits"`    // answers that were found
	Misses  int64 `json:"misses"`  // answers that this proxy then filled
	Waits   int64 `json:"waits"`   // waits for the fill of another proxy
	Skipped int64 `json:"skipped"` // fills without a lookup, while the breaker was open
	Puts    int64 `json:"puts"`    // answers that were stored
	Read    int64 `json:"read_bytes"`
	Written int64 `json:"written_bytes"`
}

// SharedFaults counts operations and values that failed.
type SharedFaults struct {
	Errors    int64 `json:"errors"`
	Damaged   int64 `json:"damaged"`   // values that were no answers, and were removed
	Full      int64 `json:"full"`      // answers that found no room
	Oversized int64 `json:"oversized"` // answers that are too large to be shared
}
