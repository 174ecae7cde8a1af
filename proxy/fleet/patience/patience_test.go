package patience

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// always is the debt of a server that never replies.
func always() time.Duration { return time.Hour }

// TestWithin: silence ends the context after the budget, as do small messages alone. The bytes
// of a large answer extend it, and the time in all is bounded.
func TestWithin(t *testing.T) {
	const budget = 50 * time.Millisecond
	for _, c := range []struct {
		moving time.Duration
		bytes  int64 // in a millisecond
		want   time.Duration
	}{
		{0, 0, budget}, {105 * time.Millisecond, rate / 1000, 105*time.Millisecond + budget}, {time.Second, rate / 1000, 4 * budget},
		{105 * time.Millisecond, 64 << 10, 105*time.Millisecond + budget}, // not more in advance
		{time.Second, 100, budget}, {time.Second, rate / 2000, 2 * budget},
	} {
		synctest.Test(t, func(t *testing.T) {
			var bytes atomic.Int64
			began := time.Now()
			ctx, end := Patience{bytes.Load, always, budget, 4}.Within(t.Context())
			defer end()
			for time.Since(began) < c.moving && ctx.Err() == nil {
				bytes.Add(c.bytes)
				time.Sleep(time.Millisecond)
			}
			<-ctx.Done()
			if took := time.Since(began); took < c.want-5*time.Millisecond || took > c.want+5*time.Millisecond || context.Cause(ctx) != ErrSilent {
				t.Errorf("bytes for %s: %s, %v", c.moving, took, context.Cause(ctx))
			}
		})
	}
}

// TestOwed: the time in which the server owes no reply is no silence, but counts as time in
// all. A reply that has been due for a part of the step only begins to be late.
func TestOwed(t *testing.T) {
	const budget = 50 * time.Millisecond
	for _, c := range []struct {
		owed func(since time.Duration) time.Duration
		want time.Duration
	}{
		{func(time.Duration) time.Duration { return 0 }, 4 * budget},
		{func(since time.Duration) time.Duration { return max(0, since-80*time.Millisecond) }, 80*time.Millisecond + budget},
		{func(time.Duration) time.Duration { return budget/20 - 1 }, 4 * budget},
		{func(time.Duration) time.Duration { return budget / 20 }, budget},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			ctx, end := Patience{func() int64 { return 0 }, func() time.Duration { return c.owed(time.Since(began)) }, budget, 4}.Within(t.Context())
			defer end()
			<-ctx.Done()
			if took := time.Since(began); took != c.want || context.Cause(ctx) != ErrSilent {
				t.Errorf("%s after %s, want %s", context.Cause(ctx), took, c.want)
			}
		})
	}
}

// TestEnd: the end of an operation is not its server's silence, and no timer runs on.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := Patience{func() int64 { return 0 }, always, time.Second, 4}.Within(t.Context())
		end()
		time.Sleep(time.Minute)
		if context.Cause(ctx) == ErrSilent {
			t.Error("silent after its end")
		}
	})
}

// TestAccount: consecutive operations end together after the budget of one, however their
// times divide it. The time between them does not count.
func TestAccount(t *testing.T) {
	const budget = 50 * time.Millisecond
	for _, takes := range [][]time.Duration{{}, {30 * time.Millisecond}, {7 * time.Millisecond, 7 * time.Millisecond, 35 * time.Millisecond}, {49 * time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			a := Patience{func() int64 { return 0 }, always, budget, 4}.Account()
			left := budget
			for _, take := range takes {
				ctx, end := a.Within(t.Context())
				time.Sleep(take)
				if ctx.Err() != nil {
					t.Errorf("%v: ended", takes)
				}
				end()
				left -= take
				time.Sleep(time.Hour)
			}
			began := time.Now()
			ctx, end := a.Within(t.Context())
			defer end()
			<-ctx.Done()
			if took := time.Since(began); took != left || context.Cause(ctx) != ErrSilent {
				t.Errorf("%v: the last took %s, %v", takes, took, context.Cause(ctx))
			}
		})
	}
}
