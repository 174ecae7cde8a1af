package proxy

import (
	"time"

	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/store"
)

// meter counts the steps of a read from the database as phases of a fill.
type meter struct{ *phase.Clock }

// steps maps the steps of a read to phases.
var steps = map[store.Step]phase.Phase{
	store.Connecting: phase.Connection, store.Querying: phase.Query, store.Receiving: phase.Rows, store.Handling: phase.Encode,
}

// Begin implements store.Meter.
func (m meter) Begin(s store.Step) { m.Clock.Begin(steps[s]) }

// Handled implements store.Meter.
func (m meter) Handled(took time.Duration) { m.Move(phase.Rows, phase.Encode, took) }
