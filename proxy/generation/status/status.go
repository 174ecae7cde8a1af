// Package status describes the polls of the database and the progress of a warm-up.
package status

import "time"

// Status describes the last poll and the progress of a warm-up. Times are in
// seconds, sizes in bytes.
type Status struct {
	Polls
	Progress
	Faults
}

// Polls describes the last poll and the generation that it found.
type Polls struct {
	// Looked is the newest ticket whose poll has ended.
	Looked int64
	// Warming is set from the detection of a new generation until its publish.
	Warming bool
	// Generation is the generation being prepared, or else the published generation.
	// Calculated is the time of its newest calculation.
	Generation string
	Calculated string
	// Published counts the generations that were published.
	Published int64
}

// Progress counts the keys of a warm set.
type Progress struct {
	// Keys is the size of the warm set. Done counts the keys that were looked up, Filled
	// the loaded keys, Failed the keys that could not be loaded.
	Keys    int
	Done    int
	Filled  int
	Failed  int
	Bytes   int64 // of the loaded entries
	Seconds float64
	// Slowest is the key that took longest to load.
	Slowest        string
	SlowestSeconds float64
}

// Faults are the reasons why a generation was not published, or not completely.
type Faults struct {
	Error string // of the last poll, or of a key
	// LookError reports why the last poll failed, or could not publish; empty
	// after success.
	LookError string
	// Held is the reason for holding a generation back since HeldSince; empty if no
	// generation is held.
	Held      string
	HeldSince *time.Time
}
