// Package measure sends the requests of a source from many clients, and measures the
// latency of the answers.
package measure

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/load/client"
	"github.com/lewistv/xcri-proxy/cmd/internal/load/visitors"
)

// progressEvery is the interval between calls of Options.Progress.
const progressEvery = 250 * time.Millisecond

// Options configure Run; options without a default must be set.
type Options struct {
	URL    *url.URL // URL of the API, without a final slash
	Source visitors.Source
	// Connections is the number of clients, each with its own connection. Zero means
	// 20.
	Connections int
	// Rate is the number of requests scheduled per second, independently of earlier
	// answers. Latency is then measured from the scheduled time, not from the time
	// when a client was free to send the request. Zero means no schedule: each
	// client sends a request when it has the previous answer.
	Rate float64
	// WarmUp is the number of requests before the measurement. Errors in the warm-up
	// are counted.
	WarmUp int
	// Duration is the length of the measurement; zero means until the source ends.
	Duration time.Duration
	// Timeout limits the time to answer a request. Zero means 10 s.
	Timeout time.Duration
	// Progress is called every progressEvery; nil means no reports.
	Progress func(Progress)

	dial client.Dial // for tests
}

func (o Options) withDefaults() Options {
	if o.Connections == 0 {
		o.Connections = 20
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	return o
}

// Progress is the progress of a run.
type Progress struct {
	Done   int64 // requests, including the warm-up
	Total  int   // zero means no limit
	Errors int64
	Rate   float64       // requests per second since the last report
	P99    time.Duration // since the last report; zero means no requests
	Left   time.Duration // remaining part of Options.Duration
}

// run is the state of a run.
type run struct {
	opts   Options
	issued atomic.Int64 // requests that have a place in the order
	begun  time.Time
	// counting is closed when the warm-up is over, at since.
	counting chan struct{}
	since    time.Time
	tally    tally
	check    *client.Checker
}

// Run sends the requests of the source and returns the report. When ctx ends, Run
// finishes the requests under way and returns early. The error reports invalid
// options; wrong answers are in the report.
func Run(ctx context.Context, opts Options) (*Report, error) {
	if opts.URL == nil || opts.Source == nil || opts.Connections < 0 || opts.Rate < 0 || opts.WarmUp < 0 {
		return nil, errors.New("measure: the options are incomplete or below zero")
	}
	r := &run{opts: opts.withDefaults(), begun: time.Now(), counting: make(chan struct{}), check: client.NewChecker()}
	if r.opts.WarmUp == 0 {
		r.startCounting()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var clients, others sync.WaitGroup
	for range r.opts.Connections {
		clients.Go(func() { r.visit(ctx) })
	}
	others.Go(func() { r.progress(ctx) })
	last := make(chan struct{}) // closed after the last answer
	others.Go(func() { r.check.Work(last, r.tally.fail) })
	if r.opts.Duration > 0 {
		others.Go(func() { r.endInTime(ctx, cancel) })
	}
	clients.Wait()
	ended := time.Now()
	close(last)
	cancel()
	others.Wait()
	return r.report(ended), nil
}

func (r *run) startCounting() {
	r.since = time.Now()
	close(r.counting)
}

func (r *run) endInTime(ctx context.Context, cancel func()) {
	select {
	case <-r.counting:
	case <-ctx.Done():
		return
	}
	select {
	case <-time.After(r.opts.Duration):
		cancel()
	case <-ctx.Done():
	}
}

// visit is the loop of a client: it makes visits until the source is exhausted.
func (r *run) visit(ctx context.Context) {
	c := client.New(r.opts.URL, r.opts.Timeout, r.opts.dial)
	defer c.Close()
	for {
		visit := r.opts.Source.Next()
		if visit == nil {
			return
		}
		for i := range visit.Requests {
			place, due, ok := r.next(ctx)
			if !ok {
				return
			}
			r.ask(c, visit.Browser, &visit.Requests[i], place, due)
		}
	}
}

// next waits until the next request is due and returns its index among all requests.
// It returns false when the run has ended.
func (r *run) next(ctx context.Context) (place int64, due time.Time, ok bool) {
	if ctx.Err() != nil {
		return 0, due, false
	}
	place, due = r.issued.Add(1)-1, time.Now()
	if place == int64(r.opts.WarmUp) && place > 0 {
		r.startCounting()
	}
	if r.opts.Rate == 0 {
		return place, due, true
	}
	due = r.begun.Add(time.Duration(float64(place) / r.opts.Rate * float64(time.Second)))
	if wait := time.Until(due); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return 0, due, false
		}
	}
	return place, due, true
}

// ask sends a request, checks the answer and counts it.
func (r *run) ask(c *client.Client, b *visitors.Browser, q *visitors.Request, place int64, due time.Time) {
	etag := ""
	if q.Revalidate {
		etag = b.ETag(q.Target)
	}
	keep := r.check.Wants(q, place)
	again, err := c.Exchange(q, etag, keep)
	took := time.Since(due)
	if again {
		r.tally.reconnects.Add(1)
	}
	if err == nil && !q.Expect.Right(c.Status, etag != "") {
		err = client.WrongStatus(c.Status)
	}
	if err == nil && c.Status == 200 {
		b.Remember(q.Target, c.ETag)
		if body := (client.Body{Target: q.Target, Coding: string(c.Coding), Bytes: c.Body}); keep && !q.Head && !r.check.Put(body) {
			err = body.Check()
		}
	}
	if err != nil {
		r.tally.fail(q.Target, err)
	}
	if place >= int64(r.opts.WarmUp) {
		r.tally.count(visitors.KindOf(q.Target), &c.Answer, took, err)
	}
}

// progress calls Options.Progress until ctx ends.
func (r *run) progress(ctx context.Context) {
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	before, at, done := r.tally.times(), time.Now(), int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, times, all := time.Now(), r.tally.times(), r.issued.Load()
		p := Progress{Done: all, Total: r.opts.Source.Total(), Errors: r.tally.errors.Load(),
			Rate: float64(all-done) / now.Sub(at).Seconds(), P99: times.Since(before).Quantile(.99)}
		select {
		case <-r.counting:
			p.Left = max(0, r.opts.Duration-now.Sub(r.since))
		default:
			p.Left = r.opts.Duration
		}
		r.opts.Progress(p)
		before, at, done = times, now, all
	}
}
