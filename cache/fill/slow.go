package fill

import (
	"time"

	"github.com/lewistv/xcri-proxy/cache/turns"
)

// turn is the turn of a fill, and the figures that are logged if the fill is slow.
type turn struct {
	turns.Turn
	request string // the ID of the request that began the fill; empty for none
	phases
}

// phases are the times at which a fill began to wait for its turn and to load. The
// second is zero for a fill that ended while it waited.
type phases struct{ queued, began time.Time }

// logSlow logs a fill that has ended, if it took Options.Slow or longer from the
// beginning of its wait for a turn. With queued and loading time apart, the line says
// whether the slots were taken or the origin was slow.
func (f *Fills) logSlow(t *turn, key string, err error) {
	if f.opts.Slow <= 0 || t.queued.IsZero() {
		return
	}
	end := time.Now()
	took := end.Sub(t.queued)
	if took < f.opts.Slow {
		return
	}
	waited, loaded := took, time.Duration(0)
	if !t.began.IsZero() {
		waited, loaded = t.began.Sub(t.queued), end.Sub(t.began)
	}
	attrs := []any{"key", key, "lane", t.Lane.String(), "took", took, "waited", waited, "loaded", loaded}
	for _, a := range [][2]string{{"group", t.Group}, {"client", t.Client}, {"request_id", t.request}} {
		if a[1] != "" {
			attrs = append(attrs, a[0], a[1])
		}
	}
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	f.opts.Logger.Warn("slow fill", attrs...)
}
