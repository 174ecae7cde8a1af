package main

import (
	"cmp"
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

// best returns which of some contenders answered most requests.
func best(all []series, of ...int) int {
	return slices.MaxFunc(of, func(a, b int) int { return cmp.Compare(median(all[a].perCPU), median(all[b].perCPU)) })
}

// series is what one server did, measurement by measurement, in the units of pace.
type series struct {
	perCPU, perWall, p99, kernel []float64
	requests                     int64 // in all, with those to warm up
	runs                         int   // of wrk that made them
}

func (s series) pace(question, server string) pace {
	return pace{question, server, median(s.perCPU), median(s.perWall), median(s.p99), median(s.kernel)}
}

// count counts what a wrk did, all of which must have gone well.
func (s *series) count(done loaded) error {
	if done.failed > 0 || done.requests == 0 {
		return fmt.Errorf("%d of %d requests failed", done.failed, done.requests)
	}
	s.requests += done.requests
	s.runs++
	return nil
}

// add adds what a wrk did, and what its server spent on it.
func (s *series) add(done loaded, spent used) error {
	if err := s.count(done); err != nil {
		return err
	}
	s.perCPU = append(s.perCPU, float64(done.requests)/spent.busy.Seconds())
	s.perWall = append(s.perWall, float64(done.requests)/done.seconds)
	s.kernel = append(s.kernel, spent.kernel())
	return nil
}

// job is a server and what it is loaded with.
type job struct {
	*service
	load
}

// warmUp loads each server for a moment, which only counts as requests.
func warmUp(ctx context.Context, jobs []job, all []series) error {
	for i, j := range jobs {
		j.length = max(j.length, time.Second)
		done, err := wrk(ctx, j.load)
		if err == nil {
			err = all[i].count(done)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
	}
	return nil
}

// repeats is how often what is not measured in blocks is measured.
func (l *lab) repeats() int {
	if l.short {
		return 3
	}
	return 9
}

// rounds measures jobs in turn for a second each, without a stop: what is under way
// when a client is stopped would wait, so a p99 can't be had from slices. A job's
// length is the least that a round of it takes.
func (l *lab) rounds(ctx context.Context, jobs []job) ([]series, error) {
	all := make([]series, len(jobs))
	for range l.repeats() {
		for i, j := range jobs {
			j.length = max(j.length, time.Second)
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
	s.p99 = append(s.p99, done.p99.Seconds())
	return s.add(done, after.minus(before))
}
