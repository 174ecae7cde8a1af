package patience

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestWithin: silence ends the context after the budget, bytes begin the budget anew, and
// the time in all is bounded.
func TestWithin(t *testing.T) {
	const budget = 50 * time.Millisecond
	for _, c := range []struct{ moving, want time.Duration }{
		{0, budget}, {105 * time.Millisecond, 105*time.Millisecond + budget}, {time.Second, 4 * budget},
	} {
		synctest.Test(t, func(t *testing.T) {
			var bytes atomic.Int64
			began := time.Now()
			ctx, end := Patience{bytes.Load, budget, 4}.Within(t.Context())
			defer end()
			for time.Since(began) < c.moving && ctx.Err() == nil {
				bytes.Add(1)
				time.Sleep(time.Millisecond)
			}
			<-ctx.Done()
			if took := time.Since(began); took < c.want-5*time.Millisecond || took > c.want+5*time.Millisecond || context.Cause(ctx) != ErrSilent {
				t.Errorf("bytes for %s: %s, %v", c.moving, took, context.Cause(ctx))
			}
		})
	}
}

// TestEnd: the end of an operation is not its server's silence, and no timer runs on.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := Patience{func() int64 { return 0 }, time.Second, 4}.Within(t.Context())
		end()
		time.Sleep(time.Minute)
		if context.Cause(ctx) == ErrSilent {
			t.Error("silent after its end")
		}
	})
}
