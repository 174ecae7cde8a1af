package proxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/compare"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

const (
	// queuedSamples and queuedBytes bound the answers that wait to be compared.
	queuedSamples, queuedBytes = 16, 8 << 20
	// samplePause is the least time between two comparisons.
	samplePause = 250 * time.Millisecond
	// While the old API fails, the pause doubles from the first of these to the
	// second.
	firstFailurePause, longestFailurePause = time.Second, time.Minute
	// tellAgain is how long a difference of one key is not logged again, and
	// toldKeys how many keys are remembered for that.
	tellAgain, toldKeys = time.Hour, 1000
)

// verifier compares answers of the two sources, on demand and by VERIFY_SAMPLE.
type verifier struct {
	// ctx ends all comparisons that were asked for once stop is called.
	ctx   context.Context
	stop  context.CancelFunc
	turns chan struct{} // taken by those that run

	samples chan sampled
	mu      sync.Mutex
	stats   api.Verify
	bytes   int // of the samples that wait
}

// sampled is an answer of the store that is to be compared.
type sampled struct {
	key    string
	answer store.Answer
}

func (v *verifier) init(share float64) {
	v.ctx, v.stop = context.WithCancel(context.Background())
	v.turns, v.samples = make(chan struct{}, verifyTurns), make(chan sampled, queuedSamples)
	v.stats = api.Verify{Share: share, Verdicts: map[string]int64{}}
	for _, verdict := range []compare.Verdict{compare.SameBytes, compare.SameJSON, compare.SameButOrder, compare.Different, verdictFailed} {
		v.stats.Verdicts[string(verdict)] = 0
	}
}

// api.Verify returns the figures of this moment.
func (p *Proxy) verifyStats() api.Verify {
	p.verify.mu.Lock()
	defer p.verify.mu.Unlock()
	stats := p.verify.stats
	stats.Verdicts = maps.Clone(stats.Verdicts)
	return stats
}

// offer takes its share of the store's answers to be compared. It never waits:
// what finds no room is dropped.
func (p *Proxy) offer(r *route.Route, key string, answer store.Answer) {
	if p.opts.Legacy == nil || r.Path() == route.HealthPath || rand.Float64() >= p.opts.VerifySample {
		return
	}
	v := &p.verify
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.bytes+len(answer.Body) <= queuedBytes {
		select {
		case v.samples <- sampled{key, answer}:
			v.bytes += len(answer.Body)
			return
		default:
		}
	}
	v.stats.Dropped++
}

// compareSamples compares what was sampled, one answer after the other, until
// ctx ends.
func (p *Proxy) compareSamples(ctx context.Context) {
	logged := map[string]time.Time{}
	for pause := samplePause; ; {
		select {
		case <-ctx.Done():
			return
		case s := <-p.verify.samples:
			c, err := p.compareSample(ctx, s)
			if ctx.Err() != nil {
				return
			}
			p.noteSample(s, c, err)
			pause = pauseAfter(pause, c.verdict)
			p.logDifference(c, logged)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// pauseAfter lets an old API that fails have its rest.
func pauseAfter(pause time.Duration, verdict compare.Verdict) time.Duration {
	if verdict != verdictFailed {
		return samplePause
	}
	return min(max(firstFailurePause, 2*pause), longestFailurePause)
}

var errNoSpare = errors.New("no connection to the database to spare for a second look")

// compareSample compares a sample with the old API's answer. If they differ both
// sources are asked anew: an import may have come between.
func (p *Proxy) compareSample(ctx context.Context, s sampled) (c comparison, err error) {
	defer func() {
		if r := recover(); r != nil {
			p.metrics.Panics.Add(1)
			p.opts.Logger.Error("panic in a comparison", "key", s.key, "panic", r, "stack", string(debug.Stack()))
			c, err = comparison{}, fmt.Errorf("panic: %v", r)
		}
	}()
	v, err := p.verification(s.key)
	if err != nil {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	ours := told{status: s.answer.Status, bytes: len(s.answer.Body), body: s.answer.Body, generation: s.answer.Generation}
	c = v.judge(ours, p.askLegacy(ctx, v))
	switch {
	case c.verdict != compare.Different:
		return c, nil
	case !p.hasSpare():
		return comparison{}, errNoSpare
	}
	return p.compareSources(ctx, v), nil
}

// noteSample counts what became of a sample, and gives its room back. One that
// could not be compared for reasons of our own counts as dropped.
func (p *Proxy) noteSample(s sampled, c comparison, err error) {
	p.verify.mu.Lock()
	defer p.verify.mu.Unlock()
	p.verify.bytes -= len(s.answer.Body)
	if err != nil {
		p.verify.stats.Dropped++
		return
	}
	p.verify.stats.Verdicts[string(c.verdict)]++
}

// logDifference tells of a difference, of each key once in a while.
func (p *Proxy) logDifference(c comparison, logged map[string]time.Time) {
	switch c.verdict {
	case verdictFailed:
		p.opts.Logger.Debug("not compared with the old API", "key", c.key, "error", c.err)
		return
	case compare.Different:
	default:
		return
	}
	if last, ok := logged[c.key]; ok && time.Since(last) < tellAgain {
		return
	}
	if len(logged) >= toldKeys {
		clear(logged)
	}
	logged[c.key] = time.Now()
	p.opts.Logger.Warn("the old API answers differently", "key", c.key, "path", c.difference.path, "store", c.difference.store, "legacy", c.difference.legacy)
}
