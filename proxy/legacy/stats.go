package legacy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Stats are counts since the start.
type Stats struct {
	Requests int64         // fetched or forwarded, with any result
	Failures int64         // requests without a usable answer
	Timeouts int64         // failures due to a timeout
	Resent   int64         // requests sent again because a kept connection was closed
	Answered int64         // complete answers, of any status
	Latency  time.Duration // sum of the durations of Answered
	InUse    int           // connections in use now
	Open     int           // connections open now
	Limit    int           // maximum of connections
}

type counts struct {
	requests, failures, timeouts, resent, answered atomic.Int64
	latency                                        atomic.Int64 // nanoseconds
}

// took counts a complete answer and its duration.
func (c *counts) took(begun time.Time, err error) {
	if err == nil {
		c.answered.Add(1)
		c.latency.Add(int64(time.Since(begun)))
	}
}

// Stats returns the current counts.
func (c *Client) Stats() Stats {
	return Stats{
		Requests: c.counts.requests.Load(), Failures: c.counts.failures.Load(), Timeouts: c.counts.timeouts.Load(),
		Resent: c.counts.resent.Load(), Answered: c.counts.answered.Load(), Latency: time.Duration(c.counts.latency.Load()),
		InUse: len(c.pool.slots), Open: c.pool.open(), Limit: cap(c.pool.slots),
	}
}

// failed counts and logs a failure, and returns the error for the caller of Fetch
// or Forward. ctx is the caller's context: its end is not a failure.
func (c *Client) failed(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err() // the caller canceled: not a failure
	}
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	c.counts.failures.Add(1)
	if errors.Is(err, ErrTimeout) {
		c.counts.timeouts.Add(1)
	}
	c.outage.report(err)
	return err
}

// quietFor is the minimum interval between two log lines of the same kind.
const quietFor = time.Minute

// outage limits the log while the old API fails: one line for each kind of
// failure, and one line when it answers again.
type outage struct {
	log    *slog.Logger
	open   atomic.Bool // a failure was logged, and no answer has arrived since
	mu     sync.Mutex
	kinds  [len(kinds)]failureKind
	silent int // failures that were not logged
}

type failureKind struct {
	open   bool
	logged time.Time // when it was last logged
}

// kinds are the kinds of failure that the log distinguishes. The first match
// applies.
var kinds = [...]error{ErrTimeout, ErrBusy, ErrRoom, ErrUnavailable, ErrAnswer}

func (o *outage) report(err error) {
	i := slices.IndexFunc(kinds[:], func(kind error) bool { return errors.Is(err, kind) })
	if i < 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if kind := &o.kinds[i]; kind.open || time.Since(kind.logged) < quietFor {
		o.silent++
		return
	}
	o.kinds[i] = failureKind{open: true, logged: time.Now()}
	o.open.Store(true)
	o.log.Warn("no answer from the old API", "error", err)
}

// over records that an answer arrived, which ends the outage.
func (o *outage) over() {
	if !o.open.CompareAndSwap(true, false) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.kinds {
		o.kinds[i].open = false
	}
	o.log.Info("the old API answers again", "failures_not_logged", o.silent)
	o.silent = 0
}
