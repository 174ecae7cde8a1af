package limit

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestWithin: the context, and a context of it, end after the limit with the error of a
// deadline.
func TestWithin(t *testing.T) {
	for _, limit := range []time.Duration{1, 7, time.Millisecond, 2 * time.Second, time.Second/3 + 1} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			ctx, cancel := Within(t.Context(), limit)
			defer cancel()
			child, stop := context.WithCancel(ctx)
			defer stop()
			if _, known := ctx.Deadline(); known || ctx.Err() != nil {
				t.Errorf("deadline %t, %v", known, ctx.Err())
			}
			<-ctx.Done()
			<-child.Done()
			if took := time.Since(began); took != limit || ctx.Err() != context.DeadlineExceeded || child.Err() != context.DeadlineExceeded {
				t.Errorf("%s: %s, %v, %v", limit, took, ctx.Err(), child.Err())
			}
		})
	}
}

type key struct{}

// TestEnds: the context ends with its parent, with the parent's error, or by its
// CancelFunc, and keeps its first error.
func TestEnds(t *testing.T) {
	why := errors.New("why")
	for name, tt := range map[string]struct {
		end  func(parent context.CancelCauseFunc, own context.CancelFunc)
		want error
	}{
		"parent": {func(parent context.CancelCauseFunc, _ context.CancelFunc) { parent(why) }, why},
		"own":    {func(_ context.CancelCauseFunc, own context.CancelFunc) { own(); own() }, context.Canceled},
	} {
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, name))
			ctx, own := Within(parent, time.Second)
			if ctx.Value(key{}) != name {
				t.Error("the parent's value is missing")
			}
			tt.end(cancel, own)
			<-ctx.Done()
			if ctx.Err() != context.Canceled || context.Cause(ctx) != tt.want {
				t.Errorf("%s: %v, %v", name, ctx.Err(), context.Cause(ctx))
			}
			cancel(nil)
			own()
			time.Sleep(time.Minute)
			if ctx.Err() != context.Canceled {
				t.Errorf("%s: later %v", name, ctx.Err())
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	ctx, own := Within(ended, time.Hour)
	defer own()
	if ctx.Err() != context.Canceled {
		t.Errorf("a parent that has ended: %v", ctx.Err())
	}
}

// TestLateProcess: the limit is counted in steps that the process notices, however late it
// notices them.
func TestLateProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := Within(t.Context(), time.Second)
		defer cancel()
		c := ctx.(*limited)
		for range steps - 1 {
			c.timer.Stop()
			time.Sleep(time.Minute)
			if c.tick(); ctx.Err() != nil {
				t.Fatalf("ended after %s", time.Since(began))
			}
		}
		<-ctx.Done()
		if took, want := time.Since(began), (steps-1)*time.Minute+time.Second/steps; took != want {
			t.Errorf("ended after %s, want %s", took, want)
		}
	})
}

// TestConcurrentEnds: a context may end in several ways concurrently.
func TestConcurrentEnds(t *testing.T) {
	for range 100 {
		parent, cancel := context.WithCancel(t.Context())
		ctx, own := Within(parent, time.Microsecond)
		var all sync.WaitGroup
		all.Go(cancel)
		all.Go(own)
		all.Go(func() { runtime.Gosched(); _ = ctx.Err() })
		<-ctx.Done()
		all.Wait()
	}
}
