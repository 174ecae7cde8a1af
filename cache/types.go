package cache

import (
	"context"
	"log/slog"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/figures"
	"github.com/lewistv/xcri-proxy/cache/fill"
	"github.com/lewistv/xcri-proxy/cache/outage"
	"github.com/lewistv/xcri-proxy/cache/outcome"
	"github.com/lewistv/xcri-proxy/cache/recode"
	"github.com/lewistv/xcri-proxy/cache/shelf"
	"github.com/lewistv/xcri-proxy/cache/slot"
	"github.com/lewistv/xcri-proxy/cache/turns"
)

// An answer as it is filled and stored. See package entry.
type (
	Content = entry.Content
	Variant = entry.Variant
	Entry   = entry.Entry
	Saved   = entry.Saved // as it is kept between two runs
)

// Request is a request that may wait for a fill. See package fill.
type Request = fill.Request

// WithRequest returns a context for Await that carries a request.
func WithRequest(ctx context.Context, r *Request) context.Context { return fill.WithRequest(ctx, r) }

// The types that a cache shares with its owner: a state of all data that answers come from,
// the work in idle time, and the record of outages. See the packages slot, recode and outage.
type (
	Generation = slot.Generation
	Shrink     = recode.Shrink
	Outage     = outage.Outage
)

// NewOutage returns an Outage of an origin that is up. It reports changes to logger;
// nil discards them.
func NewOutage(logger *slog.Logger) *Outage { return outage.New(logger) }

// Lane classifies fills by the time for which they keep the origin busy. See package
// turns.
type Lane = turns.Lane

// The lanes, and how many there are. Only Keep fills in the lane Idle.
const (
	Quick  = turns.Quick
	Heavy  = turns.Heavy
	Costly = turns.Costly
	Idle   = turns.Idle
	Lanes  = turns.Lanes
)

// Descriptions of a Cache. See the packages figures, shelf, fill and turns.
type (
	LaneStats    = turns.Stats
	Stats        = figures.Stats
	CurrentStats = figures.CurrentStats
	Sight        = figures.Sight
	Warmed       = figures.Warmed
	ShelfStats   = shelf.Stats
	Load         = fill.Load
)

// Outcome classifies the answer to a request. See package outcome.
type Outcome = outcome.Outcome

// The outcomes, and how many there are.
const (
	Hit        = outcome.Hit
	Stale      = outcome.Stale
	StaleError = outcome.StaleError
	Miss       = outcome.Miss
	Coalesced  = outcome.Coalesced
	Pass       = outcome.Pass
	Error      = outcome.Error
	Outcomes   = outcome.Outcomes
)

// OutcomeNames returns the names of all outcomes. The caller may change the slice.
func OutcomeNames() []string { return outcome.Names() }
