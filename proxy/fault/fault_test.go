package fault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/share"
	"github.com/lewistv/xcri-proxy/store"
)

// TestFaults holds the answer to each kind of error, below other errors too. The
// narrower of two errors counts: all connections in use is an unreachable old API too.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		err              error
		question, passed int
	}{
		{share.ErrFull, 429, 500}, {cache.ErrGone, 503, 500}, {cache.ErrDown, 503, 500}, {cache.ErrWait, 504, 500},
		{store.ErrUnavailable, 503, 500}, {store.ErrInterrupted, 503, 500}, {store.ErrBusy, 503, 500}, {store.ErrSetup, 503, 500}, {store.ErrTimeout, 504, 500},
		{store.ErrExhausted, 503, 500},
		{legacy.ErrBusy, 503, 503}, {legacy.ErrUnavailable, 503, 502}, {legacy.ErrTimeout, 504, 504}, {legacy.ErrAnswer, 502, 502},
		{context.DeadlineExceeded, 504, 500}, {context.Canceled, 503, 500}, {errors.New("a fault of ours"), 500, 500},
	} {
		err := fmt.Errorf("at last: %w", tt.err)
		question, passed := OfQuestion(err), OfPassed(err)
		if question.Status != tt.question || passed.Status != tt.passed || question.Detail == "" || passed.Detail == "" {
			t.Errorf("%v: got %+v and %+v, want %d and %d", tt.err, question, passed, tt.question, tt.passed)
		}
	}
}

// TestComplaints holds that failures of the old API are logged as errors at most once
// in ten seconds, and outages of the database, which are logged already, never.
func TestComplaints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Complaints
		for i, want := range []slog.Level{slog.LevelError, slog.LevelDebug, slog.LevelDebug, slog.LevelError} {
			if got := c.Level(legacy.ErrTimeout); got != want {
				t.Errorf("failure %d: %v, want %v", i, got, want)
			}
			time.Sleep(complainEvery/3 + time.Millisecond)
		}
		for _, err := range []error{cache.ErrDown, cache.ErrGone, maintenance.ErrOn, share.ErrFull} {
			if got := c.Level(err); got != slog.LevelDebug {
				t.Errorf("%v: %v", err, got)
			}
		}
		if got, want := c.Level(store.ErrSetup), store.ClassOf(store.ErrSetup).Level(); got != want {
			t.Errorf("a wrong set-up: %v, want %v", got, want)
		}
	})
}
