package store

import (
	"context"
	"errors"
	"sync/atomic"
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

// TestTryCancelsAStatement: a statement is cancelled once the server shows it. The check
// fails if the statement goes on for more than 3 s, never runs, is never shown or cannot be
// searched, or if its caller ends; the statement is then cancelled, too.
func TestTryCancelsAStatement(t *testing.T) {
	fails, late := errors.New("fails"), errors.New("late")
	shown := func(_ int, running bool) (bool, error) { return running, nil }
	for name, tt := range map[string]struct {
		lingers time.Duration // after it is cancelled
		begins  error
		search  func(n int, running bool) (bool, error)
		want    error
		took    time.Duration
	}{
		"ends":               {0, nil, shown, nil, 0},
		"ends later":         {1990 * time.Millisecond, nil, shown, nil, 2 * time.Second},
		"goes on":            {4 * time.Second, nil, shown, ErrNotEnded, 3 * time.Second},
		"never runs":         {0, fails, shown, fails, 20 * time.Millisecond},
		"is never shown":     {0, nil, func(int, bool) (bool, error) { return false, nil }, errNotShown, sleepSeconds * time.Second},
		"cannot be searched": {0, nil, func(int, bool) (bool, error) { return false, fails }, fails, 0},
		"cannot be found":    {time.Second, nil, func(n int, running bool) (bool, error) { return running, map[bool]error{true: fails}[n == 4] }, fails, 40 * time.Millisecond},
		"its caller ends":    {time.Second, nil, func(int, bool) (bool, error) { return false, nil }, late, 6 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, end := context.WithTimeoutCause(t.Context(), 6*time.Second, late)
			defer end()
			var reading context.Context
			var running atomic.Bool
			searches, begun := 0, time.Now()
			err := tryCancel(ctx, func(ctx context.Context) error {
				reading = ctx
				if tt.begins != nil {
					time.Sleep(10 * time.Millisecond)
					return tt.begins
				}
				running.Store(true)
				defer running.Store(false)
				length := sleepSeconds*time.Second - 10*time.Millisecond
				if name == "its caller ends" {
					length = time.Hour
				}
				select {
				case <-time.After(length):
					return nil
				case <-ctx.Done():
					time.Sleep(tt.lingers)
					return ctx.Err()
				}
			}, func() (bool, error) {
				synctest.Wait()
				searches++
				return tt.search(searches, running.Load())
			})
			took := time.Since(begun)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) || took != tt.took {
				t.Errorf("%s: %v after %v, want %v after %v", name, err, took, tt.want, tt.took)
			}
			if reading.Err() == nil {
				t.Errorf("%s: the statement is not cancelled", name)
			}
			time.Sleep(time.Minute) // until the statement has ended
		})
	}
}

// TestRuns: the server's threads show the statement that lists them, and no other.
func TestRuns(t *testing.T) {
	s := open(t, options(t))
	for mark, want := range map[string]bool{"FULL PROCESSLIST": true, "no such statement": false} {
		if found, err := s.runs(t.Context(), mark); err != nil || found != want {
			t.Errorf("%s: %t, %v", mark, found, err)
		}
	}
	opts := options(t)
	opts.Password = "wrong"
	if _, err := open(t, opts).runs(t.Context(), "any"); ReasonOf(err) != Denied {
		t.Error(err)
	}
}
