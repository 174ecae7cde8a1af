package cache

import (
	"context"
	"time"

	"github.com/lewistv/xcri-proxy/cache/turns"
)

// requestKey is the key of the value that WithRequest adds to a context.
type requestKey struct{}

// WithRequest returns a context for Await that carries the ID of a request. A slow fill
// that the request begins is logged with the ID.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// turn is the turn of a fill, and the figures that are logged if the fill is slow.
type turn struct {
	turns.Turn
	request string // the ID of the request that began the fill; empty for none
	phases
}

// phases are the times at which a fill began to wait for its turn and to load. The
// second is zero for a fill that ended while it waited.
type phases struct{ queued, began time.Time }

// logSlow logs a fill that has ended, if it took Options.SlowFill or longer from the
// beginning of its wait for a turn. With queued and loading time apart, the line says
// whether the slots were taken or the origin was slow.
func (c *Cache) logSlow(t *turn, key string, err error) {
	if c.opts.SlowFill <= 0 || t.queued.IsZero() {
		return
	}
	end := time.Now()
	took := end.Sub(t.queued)
	if took < c.opts.SlowFill {
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
	c.opts.Logger.Warn("slow fill", attrs...)
}
