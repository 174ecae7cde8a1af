package fleet

import (
	"github.com/lewistv/xcri-proxy/proxy/fleet/actions"
	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
)

// The server that the members share. See package engine.
type (
	Engine   = engine.Engine
	Claim    = engine.Claim
	Kind     = engine.Kind
	Message  = engine.Message
	Position = engine.Position
	Texts    = engine.Texts
	Event    = engine.Event
)

// The kinds of messages.
const (
	Filled  = engine.Filled
	Logged  = engine.Logged
	Seen    = engine.Seen
	Decided = engine.Decided
	Held    = engine.Held
)

// The errors of an Engine. See package engine.
var ErrFull, ErrMoved = engine.ErrFull, engine.ErrMoved

// Action is a change that an operator makes to the whole fleet. See package actions.
type Action = actions.Action

// Lasting configures the actions that last, and Kept is the work that a member continues after a
// restart.
type (
	Lasting = actions.Lasting
	Kept    = actions.Kept
)

// The kinds of actions.
const (
	Purge       = actions.Purge
	Source      = actions.Source
	Maintenance = actions.Maintenance
	Warm        = actions.Warm
	Table       = actions.Table
	Local       = actions.Local
)
