package cache

import (
	"time"

	"github.com/lewistv/xcri-proxy/cache/fill"
	"github.com/lewistv/xcri-proxy/cache/shelf"
)

// Stats are figures of a Cache. Counts are since its start.
type Stats struct {
	Shelves   []ShelfStats // the warm set first
	Fills     int64        // loads from the origin
	Failures  int64        // fills that failed or got no turn
	Refreshes int64        // fills that no request waited for
	Panics    int64        // failures by a panic
	Waiting   int64        // requests waiting for a fill now
	Filling   int64        // fills running now
	Abandoned int64        // Costly fills that ended because no request waited for them any more
	Lanes     [Lanes]LaneStats
	CurrentStats
}

// CurrentStats describes the current generation and the origin.
type CurrentStats struct {
	Generation string    // the current generation; empty before the first
	Published  time.Time // when it was published
	Confirmed  time.Time // when the origin was last known to be up
	Stale      int64     // entries that are not fresh in it
	Prepared   int64     // bytes of entries that will be published with the next
	DownSince  time.Time // zero while the origin is up
}

// ShelfStats are figures of one shelf of the cache. See package shelf.
type ShelfStats = shelf.Stats

// Load describes a fill that has not ended. See package fill.
type Load = fill.Load

// Loading returns the fills that have not ended, the oldest first.
func (c *Cache) Loading() []Load { return c.fills.Loading() }

// Stats returns the figures of this moment. It visits every entry.
func (c *Cache) Stats() Stats {
	now := c.current.Load()
	fills := c.fills.Stats()
	stats := Stats{
		Fills: fills.Fills, Failures: fills.Failures, Abandoned: fills.Abandoned, Lanes: fills.Lanes,
		Panics: fills.Panics + c.recoder.Panics(), Refreshes: c.counts.refreshed.Load(), Waiting: c.counts.waiting.Load(),
		CurrentStats: CurrentStats{Published: now.at, Confirmed: c.outage.Confirmed()}, Shelves: c.shelfStats(),
	}
	for _, lane := range stats.Lanes {
		stats.Filling += lane.Running
	}
	stats.DownSince, _ = c.outage.Since()
	if now.Generation != nil {
		stats.Generation = now.ID()
	}
	for _, s := range c.index.All() {
		served := s.Served()
		if served != nil && !now.Fresh(served) {
			stats.Stale++
		}
		if next := s.Next(); next != nil && next.Version != served {
			stats.Prepared += next.Cost()
		}
	}
	return stats
}

// shelfStats returns the figures of each shelf.
func (c *Cache) shelfStats() []ShelfStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shelves.Stats()
}

// Warm returns how many entries the warm set has.
func (c *Cache) Warm() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.shelves.Items(shelf.Warm))
}
