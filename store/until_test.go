package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestUntil: a condition is checked immediately and then each 20 ms, until it holds or cannot
// be checked, or the time is over.
func TestUntil(t *testing.T) {
	fails, late := errors.New("fails"), errors.New("late")
	for name, tt := range map[string]struct {
		holds func(n int) (bool, error)
		err   error
		calls int
		took  time.Duration
	}{
		"holds":             {func(int) (bool, error) { return true, nil }, nil, 1, 0},
		"holds later":       {func(n int) (bool, error) { return n == 3, nil }, nil, 3, 40 * time.Millisecond},
		"cannot be checked": {func(n int) (bool, error) { return false, map[bool]error{true: fails}[n == 2] }, fails, 2, 20 * time.Millisecond},
		"never holds":       {func(int) (bool, error) { return false, nil }, late, 4, 70 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, end := context.WithTimeoutCause(t.Context(), 70*time.Millisecond, late)
			defer end()
			calls, begun := 0, time.Now()
			err := until(ctx, func() (bool, error) { calls++; return tt.holds(calls) })
			if err != tt.err || calls != tt.calls || time.Since(begun) != tt.took {
				t.Errorf("%s: %v after %d calls in %v", name, err, calls, time.Since(begun))
			}
		})
	}
}

// TestCancelledTryCancel: the check ends with its caller.
func TestCancelledTryCancel(t *testing.T) {
	ctx, end := context.WithCancelCause(t.Context())
	late := errors.New("late")
	end(late)
	if err := open(t, options(t)).TryCancel(ctx); err == nil {
		t.Error("no error")
	}
}
