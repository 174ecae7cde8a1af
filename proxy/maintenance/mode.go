// Package maintenance holds maintenance mode: whether it is on, until when, and
// the page that visitors read meanwhile.
package maintenance

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"
)

// ErrOn is the error of work that is refused in maintenance mode.
var ErrOn = errors.New("maintenance mode is on")

const (
	// maxMessage limits a message to visitors, in characters.
	maxMessage = 500
	// maxLength is the longest period: an end that is further away was mistyped.
	maxLength = 366 * 24 * time.Hour
)

// Period is a period of maintenance, as the state file keeps it. It is immutable.
type Period struct {
	Since   time.Time  `json:"since"`
	Until   *time.Time `json:"until,omitempty"` // announced, not a timer; nil for not announced
	Message string     `json:"message,omitempty"`
}

// NewPeriod returns a period that starts now. Until is empty or a time in
// RFC 3339; the error names the value at fault.
func NewPeriod(until, message string, now time.Time) (*Period, error) {
	p := &Period{Since: now.Truncate(time.Second), Message: message}
	if until != "" {
		end, err := time.Parse(time.RFC3339, until)
		switch {
		case err != nil:
			return nil, fmt.Errorf("until %q: want a time as in 2026-11-23T18:00:00-05:00", until)
		case !end.After(now):
			return nil, fmt.Errorf("until %s is in the past", until)
		case end.Sub(now) > maxLength:
			return nil, fmt.Errorf("until %s is more than a year away", until)
		}
		p.Until = &end
	}
	return p, checkMessage(message)
}

// checkMessage returns an error for a message that can't be shown to visitors.
func checkMessage(text string) error {
	switch n := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("message: it has control characters, such as a line break, or is not UTF-8")
	case n > maxMessage:
		return fmt.Errorf("message: %d characters are too many, the limit is %d", n, maxMessage)
	}
	return nil
}

// Options configure a Mode. All fields may be zero.
type Options struct {
	// Period is the unfinished period of an earlier run; nil starts with maintenance mode
	// off.
	Period *Period
	// Keep stores the period for the next run; nil means off. Its error is
	// returned to the caller of Set.
	Keep func(*Period) error
	// OnEnd is called after maintenance mode was turned off. It must not block.
	OnEnd func()
	// Logger receives each change; nil discards it.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Keep == nil {
		o.Keep = func(*Period) error { return nil }
	}
	if o.OnEnd == nil {
		o.OnEnd = func() {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Mode is maintenance mode, on or off. It is safe for concurrent use.
type Mode struct {
	opts    Options
	current atomic.Pointer[Period]
	changes sync.Mutex // held by Set
}

// New returns the mode that an earlier run has left.
func New(opts Options) *Mode {
	m := &Mode{opts: opts.withDefaults()}
	if opts.Period != nil {
		m.current.Store(opts.Period)
		m.log("maintenance mode is on still", opts.Period)
	}
	return m
}

// Period returns the present period, or nil while maintenance mode is off.
func (m *Mode) Period() *Period { return m.current.Load() }

// On reports whether maintenance mode is on.
func (m *Mode) On() bool { return m.current.Load() != nil }

// Set turns maintenance mode on with next, or off with nil. A period that
// replaces another keeps its Since. The error reports that the change is not
// kept for the next run; it holds until the process ends.
func (m *Mode) Set(next *Period) error {
	m.changes.Lock()
	defer m.changes.Unlock()
	before := m.current.Load()
	if before != nil && next != nil {
		continued := *next
		continued.Since = before.Since
		next = &continued
	}
	m.current.Store(next)
	err := m.opts.Keep(next)
	switch {
	case next != nil:
		m.log("maintenance mode is on", next)
	case before != nil:
		m.log("maintenance mode is off", before)
		m.opts.OnEnd()
	}
	return err
}

func (m *Mode) log(event string, p *Period) {
	until := "not said"
	if p.Until != nil {
		until = p.Until.Format(time.RFC3339)
	}
	m.opts.Logger.Info(event, "since", p.Since.Format(time.RFC3339), "until", until, "message", p.Message)
}
