package api

import "time"

// Fleet describes the proxies that share a level, and the level as this proxy sees it. It
// is null in the stats of a proxy without one.
type Fleet struct {
	Members []Member     `json:"members"` // members that are alive, by name
	Gone    []GoneMember `json:"gone"`    // members that neither report nor were stopped in order
	SharedLink
	SharedTraffic
	SharedFaults
	Latency   Latency   `json:"latency"` // of all operations
	Publishes Publishes `json:"publishes"`
	Holds     Holds     `json:"holds"`
}

// GoneMember is a proxy that has neither reported for 5 s nor been stopped in order. It is
// listed for ten minutes, unless it returns.
type GoneMember struct {
	Name       string    `json:"name"`
	Version    string    `json:"version"`
	Calculated string    `json:"calculated_at"` // the newest calculation that it had published
	Heard      time.Time `json:"last_heard"`
}

// Publishes counts the publishes of this proxy since its start.
type Publishes struct {
	Together int64 `json:"together"` // once all proxies held requests
	Late     int64 `json:"late"`     // after 250 ms, when not all held them
	Alone    int64 `json:"alone"`    // without the shared level
	Forced   int64 `json:"forced"`   // decisions without a proxy that was not ready in time
	Lost     int64 `json:"votes_lost"`
}

// Holds counts the waits of requests, and of fills, for a publish by all proxies.
type Holds struct {
	Now     int64   `json:"now"`
	Total   int64   `json:"total"`
	Seconds float64 `json:"seconds"` // of the waits that have ended
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
	Damaged   int64 `json:"damaged"`   // values that no proxy has written, and that were removed
	Full      int64 `json:"full"`      // answers that found no room
	Oversized int64 `json:"oversized"` // answers that are too large to be shared
}
