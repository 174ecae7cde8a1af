package cache

// Stats are figures of a Cache. Counts are since its start.
type Stats struct {
	Shelves   []ShelfStats
	Fills     int64 // loads from the origin
	Failures  int64 // of them, those that failed, and those that got no turn
	Refreshes int64 // of the fills, those that no request waited for
	Panics    int64 // of the failures, those by a panic
	Waiting   int64 // requests waiting for a fill now
	Filling   int64 // fills running now
}

// ShelfStats are figures of one part of the cache.
type ShelfStats struct {
	Name     string
	Budget   int64 // bytes
	Bytes    int64
	Entries  int64
	Evicted  int64 // pushed out by others
	Rejected int64 // thought less worth than what was there
	TooLarge int64 // over the share that one entry may take
	Dropped  int64 // lost in a rush of writes
}

// Stats returns the figures of this moment.
func (c *Cache) Stats() Stats {
	stats := Stats{
		Fills: c.fills.Load(), Failures: c.failures.Load(), Refreshes: c.refreshes.Load(),
		Panics: c.panics.Load(), Waiting: c.waiting.Load(), Filling: int64(len(c.slots)),
	}
	for _, s := range c.shelves() {
		stats.Shelves = append(stats.Shelves, ShelfStats{
			Name: s.name, Budget: s.budget, Bytes: s.bytes.Load(), Entries: s.entries.Load(), Evicted: s.evicted.Load(),
			Rejected: s.rejected.Load(), TooLarge: s.tooLarge.Load(), Dropped: s.dropped.Load(),
		})
	}
	return stats
}
