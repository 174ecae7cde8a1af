package cache

import "github.com/lewistv/xcri-proxy/cache/turns"

// Lane is how long a fill keeps the origin busy. See package turns.
type Lane = turns.Lane

// The lanes, and how many there are.
const (
	Quick  = turns.Quick
	Heavy  = turns.Heavy
	Costly = turns.Costly
	Lanes  = turns.Lanes
)

// LaneStats are figures of one lane.
type LaneStats = turns.Stats
