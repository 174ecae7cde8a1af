package fill

import (
	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/cache/turns"
)

// turn is the turn of a fill, and the figures that are logged if the fill is slow.
type turn struct {
	turns.Turn
	request string // the ID of the request that began the fill; empty for none
	clock   *phase.Clock
}

// logSlow logs a fill that has ended, if it took Options.Slow or longer from the
// beginning of its wait for a turn. The line has the waiting time and the loading time
// separately, to distinguish occupied slots from a slow origin. The wait of an idle fill
// does not count.
func (f *Fills) logSlow(t *turn, key string, err error) {
	times := t.clock.Times()
	took := times.Total()
	if t.Lane == turns.Idle {
		took -= times[phase.Queue]
		times[phase.Queue] = 0
	}
	if f.opts.Slow <= 0 || took < f.opts.Slow {
		return
	}
	waited := times[phase.Queue]
	attrs := []any{"key", key, "lane", t.Lane.String(), "took", took, "waited", waited, "loaded", took - waited}
	for _, a := range [][2]string{{"group", t.Group}, {"client", t.Client}, {"request_id", t.request}} {
		if a[1] != "" {
			attrs = append(attrs, a[0], a[1])
		}
	}
	attrs = append(attrs, times.Attrs(phase.Connection)...)
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	f.opts.Logger.Warn("slow fill", attrs...)
}
