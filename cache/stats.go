package cache

import "github.com/lewistv/xcri-proxy/cache/shelf"

// Loading returns the fills that have not ended, the oldest first.
func (c *Cache) Loading() []Load { return c.fills.Loading() }

// Stats returns the figures of this moment. It visits every entry.
func (c *Cache) Stats() Stats {
	now := c.current.Load()
	fills := c.fills.Stats()
	stats := Stats{
		Fills: fills.Fills, Failures: fills.Failures, Abandoned: fills.Abandoned, Lanes: fills.Lanes,
		Panics: fills.Panics + c.recoder.Panics(), Refreshes: c.counts.refreshed.Load(), Waiting: c.counts.waiting.Load(),
		CurrentStats: CurrentStats{Generation: now.Name(), Published: now.At, Confirmed: c.outage.Confirmed(), Holds: c.current.Holds()}, Shelves: c.shelfStats(),
	}
	for _, lane := range stats.Lanes {
		stats.Filling += lane.Running
	}
	stats.DownSince, _ = c.outage.Since()
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
