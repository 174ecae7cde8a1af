// Package steps follows the steps of a read of the database, so that its time can be shown by
// step.
package steps

import (
	"context"
	"database/sql/driver"
	"time"
)

// Step is a part of a read.
type Step uint8

// The steps. A read comes back to Querying for each statement.
const (
	Connecting Step = iota // waits for a connection, or opens one
	Querying               // from sending a statement to the first row of its result
	Receiving              // receives the rows
	Handling               // handles the rows that were received
)

// Meter follows the steps of a read.
type Meter interface {
	// Begin reports that a step begins, and the step before it ends.
	Begin(Step)
	// Handled reports the part of the time since Receiving began that was spent on Handling:
	// the two steps alternate with each row.
	Handled(time.Duration)
}

// meterKey is the key of the value that WithMeter adds to a context.
type meterKey struct{}

// WithMeter returns a context whose reads report their steps to m, from the goroutine of
// the read.
func WithMeter(ctx context.Context, m Meter) context.Context {
	return context.WithValue(ctx, meterKey{}, m)
}

// Of returns a Follower that reports to the Meter of ctx, if ctx has one.
func Of(ctx context.Context) Follower {
	m, _ := ctx.Value(meterKey{}).(Meter)
	return Follower{m}
}

// Follower reports to a Meter, which may be missing.
type Follower struct{ to Meter }

// Begin reports that a step begins.
func (m Follower) Begin(s Step) {
	if m.to != nil {
		m.to.Begin(s)
	}
}

// Each returns a function that calls row and counts the time of the calls, and a function
// that reports this time.
func (m Follower) Each(row func([]driver.Value) error) (counted func([]driver.Value) error, report func()) {
	if m.to == nil {
		return row, func() {}
	}
	var handled time.Duration
	begun := time.Now()
	return func(values []driver.Value) error {
		before := time.Since(begun)
		err := row(values)
		handled += time.Since(begun) - before
		return err
	}, func() { m.to.Handled(handled) }
}
