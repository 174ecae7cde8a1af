package fleet

import "github.com/lewistv/xcri-proxy/proxy/fleet/engine"

// The server that the members share. See package engine.
type (
	Engine   = engine.Engine
	Claim    = engine.Claim
	Kind     = engine.Kind
	Message  = engine.Message
	Position = engine.Position
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

// ErrFull is the error of a value that finds no room in the server.
var ErrFull = engine.ErrFull
