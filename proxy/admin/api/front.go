package api

import "time"

// Front describes the purges of a cache in front of the proxy.
type Front struct {
	Name string `json:"name"` // host and path of its URL
	// Pending counts the tags that were not purged yet, the oldest of them since
	// PendingSince.
	Pending      int        `json:"pending_tags"`
	PendingSince *time.Time `json:"pending_since"`
	// Repeats counts the tags that were purged and will be purged again, for answers
	// that the cache had requested before the purge.
	Repeats  int   `json:"repeating_tags"`
	Requests int64 `json:"purges"` // requests that succeeded
	Tags     int64 `json:"purged_tags"`
	Failures int64 `json:"failures"` // requests that failed
	// Widened counts the purges of everything because too many tags were pending.
	Widened int64      `json:"widened"`
	SentAt  *time.Time `json:"purged_at"`
	// Error is the error of the last request; empty if it succeeded.
	Error    string     `json:"error,omitempty"`
	FailedAt *time.Time `json:"failed_at"`
}
