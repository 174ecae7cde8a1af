package api

import "time"

// Levels of a Condition.
const (
	LevelBad  = "bad"  // visitors get errors, wait, or soon may
	LevelWarn = "warn" // visitors are served, but an operator should act
	LevelGood = "good"
)

// Condition is a state of the service, in words for an operator who sees the program for
// the first time.
type Condition struct {
	Code  string     `json:"code"`  // for programs, such as down
	Level string     `json:"level"` // bad, warn or good
	Title string     `json:"title"`
	Since *time.Time `json:"since"` // null for good
	Cause string     `json:"cause"`
	// Visitors states the effect on visitors, and Remedy the next step of an operator.
	Visitors string `json:"visitors"`
	Remedy   string `json:"remedy"`
}
