package origin

import (
	"time"

	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/store"
)

// Meter counts the steps of a read from the database as phases of a fill.
type Meter struct{ *phase.Clock }

// steps maps the steps of a read to phases.
var steps = map[store.Step]phase.Phase{
	store.Connecting: phase.Connection, store.Querying: phase.Query, store.Receiving: phase.Rows, store.Handling: phase.Encode,
}

// Begin implements store.Meter.
func (m Meter) Begin(s store.Step) { m.Clock.Begin(steps[s]) }

// Handled implements store.Meter.
func (m Meter) Handled(took time.Duration) { m.Move(phase.Rows, phase.Encode, took) }
