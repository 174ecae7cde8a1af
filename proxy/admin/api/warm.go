package api

import "time"

// WarmRequest is the body of a POST to /cache/warm.
type WarmRequest struct {
	// Paths are request targets to warm in addition to the usual warm set.
	Paths []string `json:"paths,omitempty"`
	// Later keeps the paths for the next poll instead of polling now.
	Later bool `json:"later,omitempty"`
	// Accept publishes the database's state although it resembles an unfinished import.
	Accept bool `json:"accept,omitempty"`
	// Local limits the action to this member of a fleet.
	Local bool `json:"local,omitempty"`
}

// WarmTicket is the answer to a WarmRequest. The poll has ended once
// WarmStatus.Looked has reached Ticket; it is zero if no poll was requested.
type WarmTicket struct {
	Ticket  int64         `json:"ticket"`
	Keys    int           `json:"keys"`
	Ignored []IgnoredPath `json:"ignored"`
	// Warning reports why the request has not reached the other members of a fleet yet.
	Warning string `json:"warning,omitempty"`
}

// IgnoredPath is a path that can't be warmed.
type IgnoredPath struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// WarmStatus describes the last poll of the database's generation and the
// progress of a warm-up. Times are in seconds, sizes in bytes.
type WarmStatus struct {
	PollStatus
	WarmProgress
	PollFaults
	Season Season `json:"season"`
}

// The states of a Season.
const (
	SeasonOff        = "off"        // WARM=lists
	SeasonFilling    = "filling"    // the walk over its keys is under way
	SeasonComplete   = "complete"   // all answers are in the cache
	SeasonFull       = "full"       // there is no room for more
	SeasonIncomplete = "incomplete" // some answers could not be loaded, and are tried again
)

// Season describes the last walk over the answers about every athlete and team of the live
// rankings. Times are in seconds, sizes in bytes.
type Season struct {
	State      string `json:"state"`             // empty before the first walk
	Waiting    string `json:"waiting,omitempty"` // why the walk waits
	Generation string `json:"generation"`
	SeasonCounts
	Bytes   int64   `json:"bytes"`        // of the kept answers
	Needed  int64   `json:"bytes_needed"` // of all answers, by estimate
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty"` // the last error
}

// SeasonCounts count the keys of a Season.
type SeasonCounts struct {
	Keys    int `json:"keys"`
	Done    int `json:"done"`     // reached so far
	Filled  int `json:"filled"`   // loaded; others were fresh
	Failed  int `json:"failed"`   // could not be loaded
	LeftOut int `json:"left_out"` // found no room
}

// PollStatus describes the last poll and the generation that it found.
type PollStatus struct {
	// Looked is the newest ticket whose poll has ended.
	Looked int64 `json:"looked"`
	// Warming is set from when a new generation was seen until it is published.
	Warming bool `json:"warming"`
	// Generation is being prepared, or was published last. Calculated is when
	// its newest calculation was made.
	Generation string `json:"generation"`
	Calculated string `json:"calculated_at"`
	// Published counts the generations that were published.
	Published int64 `json:"published"`
}

// WarmProgress counts the keys of a warm set.
type WarmProgress struct {
	// Keys is the size of the warm set. Done counts the keys that were looked up, Filled
	// the loaded keys, Failed the keys that could not be loaded.
	Keys    int     `json:"keys"`
	Done    int     `json:"done"`
	Filled  int     `json:"filled"`
	Failed  int     `json:"failed"`
	Bytes   int64   `json:"bytes"` // of the loaded entries
	Seconds float64 `json:"seconds"`
	// Slowest is the key that took longest to load.
	Slowest        string  `json:"slowest"`
	SlowestSeconds float64 `json:"slowest_seconds"`
}

// PollFaults are the reasons why a generation was not published, or not completely.
type PollFaults struct {
	Error string `json:"error,omitempty"` // of the last poll, or of a key
	// LookError reports why the last poll failed, or could not publish; empty
	// after success.
	LookError string `json:"look_error,omitempty"`
	// Held is why a generation is held back since HeldSince; empty if none is.
	Held      string     `json:"held,omitempty"`
	HeldSince *time.Time `json:"held_since,omitempty"`
}

// WarmState is the answer of GET /cache/warm.
type WarmState struct {
	WarmStatus
	Current     string     `json:"current_generation"` // published
	PublishedAt *time.Time `json:"published_at"`
	DownSince   *time.Time `json:"down_since"`      // null while the database answers
	HeldTables  []string   `json:"held_tables"`     // changes of tables that are held back, with the reasons
	Snapshot    string     `json:"newest_snapshot"` // its date
	// HasSnapshot reports whether the snapshot in the parameter of that name is
	// published.
	HasSnapshot *bool `json:"has_snapshot,omitempty"`
}
