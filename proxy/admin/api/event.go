package api

import "time"

// Event is a change in the state of the service that explains a change in its figures.
type Event struct {
	At time.Time `json:"at"`
	// Kind is start, hand_over, publish, held, outage, back, purge, source, maintenance,
	// maintenance_end, refused, alarm or alarm_end.
	Kind string `json:"kind"`
	Text string `json:"text"` // for people
}
