// Package logging writes the log of a server. Logging never blocks the server and never
// ends it: if the log's reader is slow or gone, a line waits in a bounded queue or is
// dropped and counted. A message that is repeated takes a bounded number of lines.
package logging

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/queue"
)

// queueBytes limits the lines that wait for a slow reader.
const queueBytes = 1 << 20

// Format is the format of log lines.
type Format uint8

const (
	// JSON is one object a line, for a collector.
	JSON Format = iota
	// Text is for a person at a terminal.
	Text
	// Journal is JSON with the priority of sd-daemon(3) before each line, which
	// systemd's journal takes off.
	Journal
)

// Options configure a Log. The zero value writes JSON from level info on.
type Options struct {
	Level  slog.Leveler
	Format Format
}

// Log is a logger with a queue. It is safe for concurrent use.
type Log struct {
	*slog.Logger
	queue *queue.Queue
}

// New returns a Log that writes to w until Close.
func New(w io.Writer, opts Options) *Log {
	dropped := func(n int64) []byte {
		var line bytes.Buffer
		h := newHandler(&line, opts)
		r := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines dropped: the reader of the log was too slow, or gone", 0)
		r.AddAttrs(slog.Int64("lines", n))
		h.Handle(context.Background(), r) // to memory: it can't fail
		return line.Bytes()
	}
	q := queue.New(w, queue.Options{Bytes: queueBytes, Report: dropped})
	return &Log{slog.New(counting{newLimit(newHandler(q, opts)), q}), q}
}

// counting is a handler that reports the number of dropped lines.
type counting struct {
	slog.Handler
	queue *queue.Queue
}

// Dropped returns the number of dropped lines.
func (c counting) Dropped() int64 { return c.queue.Dropped() }

// Close waits until the waiting lines are written, at most for patience. Later lines are
// dropped.
func (l *Log) Close(patience time.Duration) { l.queue.Close(patience) }

// Dropped returns the number of dropped lines.
func (l *Log) Dropped() int64 { return l.queue.Dropped() }

func newHandler(w io.Writer, opts Options) slog.Handler {
	to := &prefixer{to: w}
	options := &slog.HandlerOptions{Level: opts.Level, ReplaceAttr: inSeconds}
	switch opts.Format {
	case Text:
		return slog.NewTextHandler(w, options)
	case Journal:
		return handler{slog.NewJSONHandler(to, options), to}
	}
	return slog.NewJSONHandler(w, options)
}

// inSeconds formats a duration as a number of seconds and marks the unit in the key.
func inSeconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindDuration {
		return a
	}
	key := a.Key
	if key != "seconds" && !strings.HasSuffix(key, "_seconds") {
		key += "_seconds"
	}
	return slog.Float64(key, a.Value.Duration().Seconds())
}

// handler sets the priority of each line.
type handler struct {
	slog.Handler
	lines *prefixer
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	h.lines.mu.Lock()
	defer h.lines.mu.Unlock()
	h.lines.priority = priorityOf(r.Level)
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs), h.lines}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.lines}
}

// priorityOf returns the prefix of a level. Source: sd-daemon(3).
func priorityOf(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "<3>"
	case level >= slog.LevelWarn:
		return "<4>"
	case level >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}

// prefixer writes the priority before each line. A slog handler writes a record in
// one Write.
type prefixer struct {
	to       io.Writer
	mu       sync.Mutex // held by the handler
	priority string
	line     []byte
}

func (p *prefixer) Write(line []byte) (int, error) {
	p.line = append(append(p.line[:0], p.priority...), line...)
	if _, err := p.to.Write(p.line); err != nil {
		return 0, err
	}
	return len(line), nil
}
