package condition

import (
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/store"
)

// Figures are the figures of one moment from which conditions are derived.
type Figures struct {
	At       time.Time
	Counts   Counts
	Requests Requests
	Database Database
	Data     Data
	Sources  origin.Stats
	Memory   Memory
	Fleet    Fleet
	Fronts   []api.Front // the caches in front
	// Failed holds the files that could not be written at the last attempt.
	Failed []Failure
	// Maintenance is nil while maintenance mode is off.
	Maintenance *maintenance.Period
}

// Counts are counters since the start.
type Counts struct {
	Answers     [5]int64 // to visitors, by class of status code, 1xx first
	Latency     metrics.Spread
	Refused     int64 // requests of a client that waits for too many fills
	Connections int64 // connections over the limit
	LostLines   int64 // lines of the log
	Full        int64 // answers for which the shared level had no room
	Panics      int64
}

// Requests describes the requests that wait now, and the loads that they wait for.
type Requests struct {
	Waiting int64
	Loads   []cache.Load // the oldest first
	// Busiest is the client with the most of these requests, and Refused the client that
	// was refused last; empty for none.
	Busiest  string
	Own      int // requests of Busiest
	Refused  string
	Rejected int64 // how often in a row
	// RejectedAt is when that was last.
	RejectedAt time.Time
}

// Database describes the connections to the database.
type Database struct {
	DownSince time.Time // zero while it answers
	Error     error     // why it is down
	Pool      store.Stats
	// LastError is the error of the last failed load, at LastAt, of the route Route.
	LastError error
	LastAt    time.Time
	Route     string
}

// Data describes the published data.
type Data struct {
	Published bool
	Warming   bool
	Held      string // why newer data is held back; empty if none is
	HeldSince time.Time
	HeldFor   time.Duration // longest time that it is held back
	Tables    []string      // why changes of tables are held back
	Stale     int64         // entries
	Problem   string        // why the last poll could not publish; empty after success
}

// Fleet describes the proxies that share a level; the zero value, a proxy that shares
// nothing.
type Fleet struct {
	Away    bool // the level does not answer
	Since   time.Time
	Reason  string
	Members []fleet.Member // while the level answers
	Gone    []fleet.Gone   // members that were not stopped in order
}

// Memory describes the memory of the process.
type Memory struct {
	Used  int64 // bytes, all that the limit counts
	Limit int64 // zero for no limit
	// Setting is the name of the limit's setting.
	Setting string
}

// Failure is a failed attempt to write a file.
type Failure struct {
	Setting string // name of the file's setting
	Path    string
	Since   time.Time
	Error   error
}
