package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/compare"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

const (
	// maxQueued and maxQueuedBytes limit the samples that wait for a comparison.
	maxQueued, maxQueuedBytes = 16, 8 << 20
	// minPause is the shortest pause between two comparisons of samples.
	minPause = 250 * time.Millisecond
	// While the old API fails, the pause doubles from firstFailurePause to
	// maxFailurePause.
	firstFailurePause, maxFailurePause = time.Second, time.Minute
	// A difference of one key is logged again after repeatAfter. At most
	// maxRemembered keys are remembered for that.
	repeatAfter, maxRemembered = time.Hour, 1000
)

// samples queues answers of the database for comparison.
type samples struct {
	queue chan sample
	mu    sync.Mutex
	stats Stats
	bytes int // in the queue
}

// sample is an answer of the database to be compared.
type sample struct {
	key    string
	answer store.Answer
}

// Stats counts the comparisons of samples.
type Stats struct {
	Share    float64 // of the database's answers that are sampled
	Verdicts map[string]int64
	Queued   int   // samples that wait for a comparison
	Dropped  int64 // not compared, because no room or no connection was free
}

func newSamples() *samples {
	s := &samples{queue: make(chan sample, maxQueued), stats: Stats{Verdicts: map[string]int64{}}}
	for _, verdict := range []compare.Verdict{compare.SameBytes, compare.SameJSON, compare.SameButOrder, Expected, compare.Different, Failed} {
		s.stats.Verdicts[string(verdict)] = 0
	}
	return s
}

// Stats returns the counts since the start.
func (v *Verifier) Stats() Stats {
	v.samples.mu.Lock()
	defer v.samples.mu.Unlock()
	stats := v.samples.stats
	stats.Share, stats.Verdicts, stats.Queued = v.opts.Share, maps.Clone(stats.Verdicts), len(v.samples.queue)
	return stats
}

// Offer queues the configured share of the database's answers. It never waits: an
// answer that finds no room is dropped.
func (v *Verifier) Offer(q route.Question, answer store.Answer) {
	if v.opts.Legacy == nil || !Comparable(q.Route) || rand.Float64() >= v.opts.Share {
		return
	}
	s := v.samples
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+len(answer.Body) <= maxQueuedBytes {
		select {
		case s.queue <- sample{q.Key, answer}:
			s.bytes += len(answer.Body)
			return
		default:
		}
	}
	s.stats.Dropped++
}

// Run compares the queued samples, one after the other, until ctx ends.
func (v *Verifier) Run(ctx context.Context) {
	logged := map[string]time.Time{}
	for pause := minPause; ; {
		select {
		case <-ctx.Done():
			return
		case s := <-v.samples.queue:
			c, err := v.compareSample(ctx, s)
			if ctx.Err() != nil {
				return
			}
			v.samples.done(s, c, err)
			pause = pauseAfter(pause, c.Verdict)
			v.logDifference(c, logged)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// pauseAfter returns the pause after a comparison: it doubles while the old API fails.
func pauseAfter(pause time.Duration, verdict compare.Verdict) time.Duration {
	if verdict != Failed {
		return minPause
	}
	return min(max(firstFailurePause, 2*pause), maxFailurePause)
}

var errNoSpare = errors.New("no connection to the database is free for a second comparison")

// compareSample compares a sample with the old API's answer. If they differ both
// sources are asked again, because an import may have intervened.
func (v *Verifier) compareSample(ctx context.Context, s sample) (c Comparison, err error) {
	defer func() {
		if r := recover(); r != nil {
			v.opts.OnPanic()
			v.opts.Logger.Error("panic in a comparison", "key", s.key, "panic", r, "stack", string(debug.Stack()))
			c, err = Comparison{}, fmt.Errorf("panic: %v", r)
		}
	}()
	of, err := v.subject(s.key)
	if err != nil {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	ours := Answer{Status: s.answer.Status, Bytes: len(s.answer.Body), body: s.answer.Body, generation: s.answer.Generation}
	c = of.judge(ours, v.askLegacy(ctx, of))
	switch {
	case c.Verdict != compare.Different:
		return c, nil
	case !v.hasSpare():
		return Comparison{}, errNoSpare
	}
	return v.compare(ctx, of), nil
}

// done counts the comparison of a sample and releases its room. A sample that
// could not be compared for reasons of our own counts as dropped.
func (s *samples) done(of sample, c Comparison, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes -= len(of.answer.Body)
	if err != nil {
		s.stats.Dropped++
		return
	}
	s.stats.Verdicts[string(c.Verdict)]++
}

// logDifference logs a difference, with a pause between two records about the same key.
func (v *Verifier) logDifference(c Comparison, logged map[string]time.Time) {
	switch c.Verdict {
	case Failed:
		v.opts.Logger.Debug("not compared with the old API", "key", c.Key, "error", c.Error)
		return
	case compare.Different:
	default:
		return
	}
	if last, ok := logged[c.Key]; ok && time.Since(last) < repeatAfter {
		return
	}
	if len(logged) >= maxRemembered {
		clear(logged)
	}
	logged[c.Key] = time.Now()
	v.opts.Logger.Warn("the old API answers differently", "key", c.Key, "path", c.Difference.Path, "store", c.Difference.Store, "legacy", c.Difference.Legacy)
}
