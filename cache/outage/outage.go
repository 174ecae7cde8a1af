// Package outage records whether the origin is down: since when, why, and when it was
// last known to be up. The cache and the code that loads answers share one record.
package outage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// ErrDown is the error of everything that an outage prevents. It is wrapped together
// with the cause of the outage.
var ErrDown = errors.New("the origin is down")

// Outage records whether the origin is down. Code that notices an outage or its end
// reports it; code that depends on the origin queries it. It is safe for concurrent
// use.
type Outage struct {
	logger   *slog.Logger
	onChange func(cause error)
	// created is the instant from which confirmed counts, on the monotonic clock.
	created time.Time
	// confirmed is when the origin was last known to be up, in nanoseconds since
	// created; zero for never.
	confirmed atomic.Int64
	era       atomic.Pointer[Era]
}

// Era is a time during which the origin is up, and the outage that ends it. The end of the
// outage begins another era. It is safe for concurrent use.
type Era struct {
	outage *Outage
	// ctx ends with the era.
	ctx    context.Context
	cancel context.CancelFunc
	ended  atomic.Pointer[Cause]
}

// Cause is the reason for the end of an era, and its time.
type Cause struct {
	Err error
	At  time.Time
}

// New returns an Outage of an origin that is up. It reports changes to logger;
// nil discards them.
func New(logger *slog.Logger) *Outage {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	o := &Outage{logger: logger, onChange: func(error) {}, created: time.Now().Add(-1)} // so that zero can mean never
	o.era.Store(newEra(o))
	return o
}

// OnChange sets a function that is called with the cause when an outage begins, and with nil
// when it ends. f must not block. OnChange must be called before o is used.
func (o *Outage) OnChange(f func(cause error)) { o.onChange = f }

func newEra(o *Outage) *Era {
	e := &Era{outage: o}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e
}

// Era returns the present era.
func (o *Outage) Era() *Era { return o.era.Load() }

// Down reports that a load which began in the era found the origin down. It changes
// nothing if the era has ended: that outage is known, and may be over.
func (e *Era) Down(err error) {
	if !e.ended.CompareAndSwap(nil, &Cause{err, time.Now()}) {
		return
	}
	e.cancel()
	e.outage.logger.Error("the origin is down, serving cached entries", "error", err)
	e.outage.onChange(err)
}

// WhileUp returns a context that ends with parent, or earlier with the era. The
// caller must call cancel.
func (e *Era) WhileUp(parent context.Context) (ctx context.Context, cancel context.CancelFunc) {
	ctx, end := context.WithCancel(parent)
	stop := context.AfterFunc(e.ctx, end)
	return ctx, func() {
		stop()
		end()
	}
}

// Done returns a channel that is closed when the era ends.
func (e *Era) Done() <-chan struct{} { return e.ctx.Done() }

// Err returns an error that wraps ErrDown and the cause if the era has ended, and
// nil otherwise.
func (e *Era) Err() error {
	if c := e.ended.Load(); c != nil {
		return fmt.Errorf("%w: %w", ErrDown, c.Err)
	}
	return nil
}

// Down reports that the origin is down. Until Up, the cache serves its entries as
// they are, requests that wait for a fill get ErrDown immediately, and no fill
// begins except for keys that can be filled from elsewhere.
func (o *Outage) Down(err error) { o.Era().Down(err) }

// Up reports that the origin is up at this moment.
func (o *Outage) Up() {
	o.confirmed.Store(int64(time.Since(o.created)))
	e := o.Era()
	if c := e.ended.Load(); c != nil && o.era.CompareAndSwap(e, newEra(o)) {
		o.logger.Info("the origin is back", "down_for", time.Since(c.At).Round(time.Millisecond))
		o.onChange(nil)
	}
}

// Since returns when the present outage began, and why; the zero time and nil while
// the origin is up.
func (o *Outage) Since() (began time.Time, err error) {
	if c := o.Now(); c != nil {
		return c.At, c.Err
	}
	return time.Time{}, nil
}

// Now returns the cause of the present outage; nil while the origin is up.
func (o *Outage) Now() *Cause { return o.Era().ended.Load() }

// WhileUp returns a context that ends with parent, or earlier when the origin goes
// down; immediately if it is down. The caller must call cancel.
func (o *Outage) WhileUp(parent context.Context) (ctx context.Context, cancel context.CancelFunc) {
	return o.Era().WhileUp(parent)
}

// Confirmed returns when the origin was last known to be up, and the current generation to
// be the origin's; the zero time if never.
func (o *Outage) Confirmed() time.Time {
	if since := o.confirmed.Load(); since != 0 {
		return o.created.Add(time.Duration(since))
	}
	return time.Time{}
}
