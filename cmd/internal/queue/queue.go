// Package queue holds a writer that never waits for the writer behind it.
package queue

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// maxWrite is the most bytes that are written with one call, unless one line is longer.
const maxWrite = 64 << 10

// Options configure a Queue. Bytes is required.
type Options struct {
	// Bytes limits the lines that wait for the writer.
	Bytes int
	// Report returns the line that reports a number of dropped lines, to be written as
	// soon as writing works again; nil reports none.
	Report func(dropped int64) []byte
}

// Queue is a writer of lines that never waits for the writer behind it: lines wait in
// memory, and a line that does not fit is dropped and counted. A line that can't be
// written is dropped too. It is safe for concurrent use.
type Queue struct {
	to   io.Writer
	opts Options

	mu       sync.Mutex
	waiting  []byte // lines
	writing  int    // bytes that take has returned and that are not written yet
	closed   bool
	dropped  int64 // in all
	reported int64 // of dropped, by Options.Report

	torn  bool          // the last write ended within a line; for run
	wake  chan struct{} // has an element if there may be something to write
	ended chan struct{} // closed once everything is written after Close
}

// New returns a Queue that writes to to until Close.
func New(to io.Writer, opts Options) *Queue {
	q := &Queue{to: to, opts: opts, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go q.run()
	return q
}

// Write adds a line, which ends with a line feed, to the queue or drops it. It never
// fails.
func (q *Queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	if q.closed || len(q.waiting)+q.writing+len(line) > q.opts.Bytes {
		q.dropped++
	} else {
		q.waiting = append(q.waiting, line...)
	}
	q.mu.Unlock()
	q.signal()
	return len(line), nil
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run writes lines until Close, and then the lines that are left.
func (q *Queue) run() {
	defer close(q.ended)
	var lines []byte
	for range q.wake {
		closed := q.isClosed() // before the last lines are taken, which came before Close
		for lines = q.take(lines[:0]); len(lines) > 0; lines = q.take(lines[:0]) {
			q.writeAll(lines)
		}
		q.reportDropped()
		if closed {
			return
		}
	}
}

// take returns the waiting lines, which count towards the limit until they are written.
// The next lines wait in spare.
func (q *Queue) take(spare []byte) (lines []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, q.waiting = q.waiting, spare
	q.writing = len(lines)
	return lines
}

// writeAll writes lines in parts that end with a line.
func (q *Queue) writeAll(lines []byte) {
	for len(lines) > 0 {
		end := len(lines)
		if end > maxWrite {
			if end = bytes.LastIndexByte(lines[:maxWrite], '\n') + 1; end == 0 {
				end = bytes.IndexByte(lines, '\n') + 1
			}
		}
		dropped := q.write(lines[:end])
		q.mu.Lock()
		q.writing -= end
		q.dropped += dropped
		q.mu.Unlock()
		lines = lines[end:]
	}
}

// write writes lines with one call and returns how many of them were not written
// completely. After a write that ended within a line, the next begins on a new line: two
// lines must not become one.
func (q *Queue) write(lines []byte) (dropped int64) {
	begin := 0
	if q.torn {
		begin, lines = 1, append([]byte{'\n'}, lines...)
	}
	n, err := q.to.Write(lines)
	if err == nil {
		q.torn = false
		return 0
	}
	if n = max(0, min(n, len(lines))); n > 0 {
		q.torn = lines[n-1] != '\n'
	}
	return int64(bytes.Count(lines[max(n, begin):], []byte{'\n'}))
}

// reportDropped writes the number of lines dropped since the last report. If the write
// fails, the next report includes them.
func (q *Queue) reportDropped() {
	q.mu.Lock()
	dropped, n := q.dropped, q.dropped-q.reported
	q.mu.Unlock()
	if n == 0 || q.opts.Report == nil {
		return
	}
	if q.write(q.opts.Report(n)) == 0 {
		q.mu.Lock()
		q.reported = dropped
		q.mu.Unlock()
	}
}

func (q *Queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// Close waits until the waiting lines are written, at most for patience. Later lines are
// dropped.
func (q *Queue) Close(patience time.Duration) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	select {
	case <-q.ended:
	case <-time.After(patience):
	}
}

// Dropped returns the number of dropped lines.
func (q *Queue) Dropped() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
