package cache

import (
	"log/slog"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/outage"
	"github.com/lewistv/xcri-proxy/cache/recode"
	"github.com/lewistv/xcri-proxy/cache/slot"
	"github.com/lewistv/xcri-proxy/cache/turns"
)

// An answer as it is filled and stored. See package entry.
type (
	Content = entry.Content
	Variant = entry.Variant
	Entry   = entry.Entry
)

// Generation is one state of all data that answers come from. See package slot.
type Generation = slot.Generation

// Shrink makes the smallest forms of entries in idle time. See package recode.
type Shrink = recode.Shrink

// Outage records whether the origin is down. See package outage.
type Outage = outage.Outage

// NewOutage returns an Outage of an origin that is up. It reports changes to logger;
// nil discards them.
func NewOutage(logger *slog.Logger) *Outage { return outage.New(logger) }

// Lane classifies fills by the time for which they keep the origin busy. See package
// turns.
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
