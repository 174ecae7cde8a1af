package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// median returns the one in the middle, or the mean of the two; 0 of none.
func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratios divides round by round.
func ratios(a, b []float64) (all []float64) {
	for i := range a {
		all = append(all, a[i]/b[i])
	}
	return all
}

// series is what one server did, round by round, in the units of pace.
type series struct {
	perCPU, perWall, p99, kernel []float64
	requests                     int64 // in all, with those to warm up
}

func (s series) pace(question, server string) pace {
	return pace{question, server, median(s.perCPU), median(s.perWall), median(s.p99), median(s.kernel)}
}

// job is a server and what it is loaded with.
type job struct {
	*service
	load
}

// rounds is how often each is measured, and length for how long each time.
func (l *lab) rounds() (n int, length time.Duration) {
	if l.short {
		return 3, time.Second
	}
	return 5, 2 * time.Second
}

// match measures jobs in turn, so that whatever else the machine does in the
// meantime hits all of them alike. A job's length is the least that a round of it
// takes.
func (l *lab) match(ctx context.Context, jobs []job) ([]series, error) {
	all := make([]series, len(jobs))
	n, length := l.rounds()
	for i, j := range jobs { // to warm up; not counted
		var first series
		j.length = max(j.length, time.Second)
		if err := first.measure(ctx, j); err != nil {
			return nil, fmt.Errorf("%s: %w", j.name, err)
		}
		all[i].requests = first.requests
	}
	for range n {
		for i, j := range jobs {
			j.length = max(j.length, length)
			if err := all[i].measure(ctx, j); err != nil {
				return nil, fmt.Errorf("%s: %w", j.name, err)
			}
		}
	}
	return all, nil
}

func (s *series) measure(ctx context.Context, j job) error {
	before, err := j.cpu()
	if err != nil {
		return err
	}
	done, err := wrk(ctx, j.load)
	if err != nil {
		return err
	}
	after, err := j.cpu()
	if err != nil {
		return err
	}
	if done.failed > 0 || done.requests == 0 {
		return fmt.Errorf("%d of %d requests failed", done.failed, done.requests)
	}
	spent := after.minus(before)
	s.requests += done.requests
	s.perCPU = append(s.perCPU, float64(done.requests)/spent.total().Seconds())
	s.perWall = append(s.perWall, float64(done.requests)/done.seconds)
	s.p99 = append(s.p99, done.p99.Seconds())
	s.kernel = append(s.kernel, float64(spent.system)/float64(spent.total()))
	return nil
}
