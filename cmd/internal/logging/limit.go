package logging

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// burst is the number of records of one message that are written within window.
	// Further records are counted, and the count is written when window ends.
	burst, window = 10, 10 * time.Second
	// maxMessages limits the messages that are counted at the same time. Messages
	// are constants almost everywhere.
	maxMessages = 500
)

// limit limits the rate of each message, over all places that log it. Records below level
// info are not limited: an operator has requested them.
type limit struct {
	slog.Handler
	counts *counts
}

// counts holds the message counts of the current windows.
type counts struct {
	mu  sync.Mutex
	all map[string]*count
}

type count struct {
	written, suppressed int
	ends                time.Time
}

func newLimit(h slog.Handler) slog.Handler {
	return limit{h, &counts{all: map[string]*count{}}}
}

// Handle writes a record or counts it.
func (l limit) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo || l.counts.admits(r.Message, time.Now(), func(n int) { l.report(r, n) }) {
		return l.Handler.Handle(ctx, r)
	}
	return nil
}

// report writes the count of a message's suppressed records.
func (l limit) report(r slog.Record, suppressed int) {
	sum := slog.NewRecord(time.Now(), r.Level, r.Message, 0)
	sum.AddAttrs(slog.Int("suppressed", suppressed), slog.Duration("within", window))
	l.Handler.Handle(context.Background(), sum)
}

// admits reports whether a record of a message may be written now. report is
// called once the window ends, if records were suppressed.
func (c *counts) admits(message string, now time.Time, report func(suppressed int)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.all[message]
	if m == nil || !now.Before(m.ends) {
		if m == nil && len(c.all) >= maxMessages && !c.forget(now) {
			return true
		}
		m = &count{ends: now.Add(window)}
		c.all[message] = m
	}
	if m.written < burst {
		m.written++
		return true
	}
	if m.suppressed++; m.suppressed == 1 {
		time.AfterFunc(m.ends.Sub(now), func() {
			c.mu.Lock()
			n := m.suppressed
			c.mu.Unlock()
			report(n)
		})
	}
	return false
}

// forget removes the messages whose window has ended, and reports whether there is
// room. The caller holds mu.
func (c *counts) forget(now time.Time) bool {
	for message, m := range c.all {
		if !now.Before(m.ends) {
			delete(c.all, message)
		}
	}
	return len(c.all) < maxMessages
}

// WithAttrs returns a handler that shares the counts.
func (l limit) WithAttrs(attrs []slog.Attr) slog.Handler {
	return limit{l.Handler.WithAttrs(attrs), l.counts}
}

// WithGroup returns a handler that shares the counts.
func (l limit) WithGroup(name string) slog.Handler {
	return limit{l.Handler.WithGroup(name), l.counts}
}
