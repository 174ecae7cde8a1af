// Package figures describes a cache to its owner: its figures, the answer that a request
// would get, and the result of a warm-up.
package figures

import (
	"time"

	"github.com/lewistv/xcri-proxy/cache/current"
	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/outcome"
	"github.com/lewistv/xcri-proxy/cache/shelf"
	"github.com/lewistv/xcri-proxy/cache/turns"
)

// Stats are figures of a Cache. Counts are since its start.
type Stats struct {
	Shelves   []shelf.Stats // the warm set first
	Fills     int64         // loads from the origin
	Failures  int64         // fills that failed or got no turn
	Refreshes int64         // background fills of stale entries
	Panics    int64         // failures by a panic
	Waiting   int64         // requests waiting for a fill now
	Filling   int64         // fills running now
	Abandoned int64         // Costly fills that were cancelled because no request waited any more
	Lanes     [turns.Lanes]turns.Stats
	CurrentStats
}

// CurrentStats describes the current generation and the origin.
type CurrentStats struct {
	Generation string    // the generation on hold, or else the published generation; empty before the first
	Published  time.Time // the time of the last publish
	Confirmed  time.Time // when the origin was last known to be up
	Stale      int64     // entries that are not fresh now
	Prepared   int64     // bytes of entries that will be published with the next generation
	DownSince  time.Time // zero while the origin is up
	Holds      current.Holds
}

// Warmed is the result of preparing one key.
type Warmed struct {
	Key string
	// Entry is the entry that will be published: an entry of the new generation, or if
	// Err is not nil an older entry of the cache, which may be nil.
	Entry *entry.Entry
	// Filled reports whether the entry was loaded rather than found to be fresh.
	Filled bool
	Err    error
}

// Sight is the answer that a request for a key would get.
type Sight struct {
	Entry   *entry.Entry    // nil if there is none
	Where   string          // the name of the shelf that keeps the entry; empty if there is none
	Outcome outcome.Outcome // Miss or Error if there is no entry
	Asked   uint32          // number of requests, halved with each refresh and each publish
}
