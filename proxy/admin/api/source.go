package api

import "time"

// SourceRequest is the body of a POST to /cache/source: a source, or reset.
type SourceRequest struct {
	Source string `json:"source,omitempty"`
	// Routes are endpoints' paths. None means all routes, including those named
	// by the configuration or by an earlier request.
	Routes []string `json:"routes,omitempty"`
	// Reset returns to the configuration.
	Reset bool `json:"reset,omitempty"`
	// Local limits the action to this member of a fleet.
	Local bool `json:"local,omitempty"`
}

// Sources describes the sources of answers.
type Sources struct {
	Default  string             `json:"default"`
	Routes   map[string]string  `json:"routes"`  // routes with another source
	Changed  bool               `json:"changed"` // since the start, so that the configuration does not hold
	Breakers map[string]Breaker `json:"breakers"`
}

// States of a Breaker.
const (
	BreakerClosed = "closed" // the source is used
	BreakerOpen   = "open"   // the source is only probed
)

// Breaker describes the circuit breaker of a source. Loads, Failed and MeanMS cover
// the last minute, or the time since the last switch if the switch is more recent.
type Breaker struct {
	State    string     `json:"state"`
	Since    *time.Time `json:"since"` // the last switch; null for never
	Reason   string     `json:"reason"`
	Switches int64      `json:"switches"`
	Loads    int64      `json:"loads"`
	Failed   int64      `json:"failed"`
	MeanMS   float64    `json:"mean_ms"` // of the loads that succeeded
}

// SourceState is the answer of /cache/source.
type SourceState struct {
	Sources
	Configured ConfiguredSources `json:"configured"`
	// Purged is the number of entries that a change has made stale.
	Purged *int `json:"purged,omitempty"`
	// Warning reports why a change will not survive a restart, or has not reached the other
	// members of a fleet yet.
	Warning string `json:"warning,omitempty"`
}

// ConfiguredSources are the sources that the configuration names.
type ConfiguredSources struct {
	Default string            `json:"default"`
	Routes  map[string]string `json:"routes"`
}
