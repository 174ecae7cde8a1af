package cache

import "time"

// Stats are figures of a Cache. Counts are since its start.
type Stats struct {
	Shelves   []ShelfStats // the warm set first
	Fills     int64        // loads from the origin
	Failures  int64        // of them, those that failed, and those that got no turn
	Refreshes int64        // of the fills, those that no request waited for
	Panics    int64        // of the failures, those by a panic
	Waiting   int64        // requests waiting for a fill now
	Filling   int64        // fills running now

	Generation string    // the current one; empty before the first
	Published  time.Time // since when it is
	Confirmed  time.Time // when it was last known to be the origin's
	Stale      int64     // entries that are not of it
	DownSince  time.Time // zero while the origin is up
}

// ShelfStats are figures of one part of the cache.
type ShelfStats struct {
	Name     string
	Budget   int64 // bytes
	Bytes    int64
	Entries  int64
	Evicted  int64 // pushed out by others
	Rejected int64 // thought less worth than what was there
	TooLarge int64 // over the share that one entry may take, or over the warm set's
	Dropped  int64 // lost in a rush of writes
}

// Stats returns the figures of this moment. It looks at every entry.
func (c *Cache) Stats() Stats {
	now := c.current.Load()
	stats := Stats{
		Fills: c.counts.fills.Load(), Failures: c.counts.failures.Load(), Refreshes: c.counts.refreshed.Load(),
		Panics: c.counts.panics.Load(), Waiting: c.counts.waiting.Load(), Filling: int64(len(c.slots)),
		Published: now.at, Confirmed: c.outage.Confirmed(),
	}
	stats.DownSince, _ = c.outage.Since()
	if now.Generation != nil {
		stats.Generation = now.ID()
	}
	warm := ShelfStats{Name: "warm", Budget: c.opts.Bytes, TooLarge: c.counts.tooLargeToWarm.Load()}
	c.each(func(s *slot, where string) {
		if where == warm.Name {
			warm.Bytes += s.cost
			warm.Entries++
		}
		if !now.holds(s) {
			stats.Stale++
		}
	})
	stats.Shelves = append(stats.Shelves, warm)
	for _, s := range c.shelves() { // which have what the warm set leaves them
		stats.Shelves[0].Budget -= s.budget.Load()
		stats.Shelves = append(stats.Shelves, ShelfStats{
			Name: s.name, Budget: s.budget.Load(), Bytes: s.bytes.Load(), Entries: s.entries.Load(), Evicted: s.evicted.Load(),
			Rejected: s.rejected.Load(), TooLarge: s.tooLarge.Load(), Dropped: s.dropped.Load(),
		})
	}
	return stats
}
