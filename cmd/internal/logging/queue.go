package logging

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// queueBytes limits the lines that wait for a slow reader.
const queueBytes = 1 << 20

// queue is a writer that never waits for the writer behind it: lines wait in memory,
// and a line that does not fit is dropped and counted. A line that can't be written is
// dropped too. It is safe for concurrent use.
type queue struct {
	to io.Writer
	// report formats the line with the number of dropped lines.
	report func(dropped int64) []byte

	mu       sync.Mutex
	lines    [][]byte
	bytes    int
	closed   bool
	dropped  int64 // in all
	reported int64 // of them

	wake  chan struct{} // has an element if there may be something to write
	ended chan struct{} // closed once everything is written after Close
}

func newQueue(to io.Writer, report func(dropped int64) []byte) *queue {
	q := &queue{to: to, report: report, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go q.run()
	return q
}

// Write adds a line to the queue or drops it. It never fails.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	if q.closed || q.bytes+len(line) > queueBytes {
		q.dropped++
	} else {
		q.lines = append(q.lines, bytes.Clone(line))
		q.bytes += len(line)
	}
	q.mu.Unlock()
	q.signal()
	return len(line), nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run writes lines until close, and then the lines that are left.
func (q *queue) run() {
	defer close(q.ended)
	for range q.wake {
		for lines := q.take(); len(lines) > 0; lines = q.take() {
			for _, line := range lines {
				_, err := q.to.Write(line)
				q.wrote(len(line), err)
			}
		}
		q.reportDropped()
		if q.isClosed() {
			return
		}
	}
}

// take returns the waiting lines, which count towards the limit until they are
// written.
func (q *queue) take() (lines [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, q.lines = q.lines, nil
	return lines
}

func (q *queue) wrote(size int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= size
	if err != nil {
		q.dropped++
	}
}

// reportDropped writes the number of lines dropped since the last report. If the write
// fails, the next report includes them.
func (q *queue) reportDropped() {
	q.mu.Lock()
	dropped, n := q.dropped, q.dropped-q.reported
	q.mu.Unlock()
	if n == 0 {
		return
	}
	if _, err := q.to.Write(q.report(n)); err == nil {
		q.mu.Lock()
		q.reported = dropped
		q.mu.Unlock()
	}
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// close writes the remaining lines within patience.
func (q *queue) close(patience time.Duration) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	select {
	case <-q.ended:
	case <-time.After(patience):
	}
}

// total returns the number of dropped lines.
func (q *queue) total() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
