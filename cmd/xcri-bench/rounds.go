package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// median returns the middle value, or the mean of the two middle values. It returns 0
// for an empty list.
func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratios divides two series round by round.
func ratios(a, b []float64) (all []float64) {
	for i := range a {
		all = append(all, a[i]/b[i])
	}
	return all
}

// best returns the contender that answered the most requests.
func best(all []series, of ...int) int {
	return slices.MaxFunc(of, func(a, b int) int { return cmp.Compare(median(all[a].perCPU), median(all[b].perCPU)) })
}

// series holds the measurements of a server in the units of pace.
type series struct {
	perCPU, perWall, p99, kernel []float64
	requests                     int64 // total, including the warm-up
	runs                         int   // runs of wrk that sent the requests
}

func (s series) pace(question, server string) pace {
	return pace{question, server, median(s.perCPU), median(s.perWall), median(s.p99), median(s.kernel)}
}

// count adds the requests of a wrk run. It returns an error if any request failed.
func (s *series) count(done loaded) error {
	if done.failed > 0 || done.requests == 0 {
		return fmt.Errorf("%d of %d requests failed", done.failed, done.requests)
	}
	s.requests += done.requests
	s.runs++
	return nil
}

// add adds the result of a wrk run and the processor time of its server.
func (s *series) add(done loaded, spent used) error {
	if err := s.count(done); err != nil {
		return err
	}
	s.perCPU = append(s.perCPU, float64(done.requests)/spent.busy.Seconds())
	s.perWall = append(s.perWall, float64(done.requests)/done.seconds)
	s.kernel = append(s.kernel, spent.kernel())
	return nil
}

// job is a server and its load.
type job struct {
	*service
	load
}

// warmUp loads each server briefly. Only the number of requests is counted.
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

// repeats is the number of measurements without blocks.
func (l *lab) repeats() int {
	if l.short {
		return 3
	}
	return 9
}

// rounds measures jobs in turn for a second each, without stopping wrk: requests under
// way would wait while it is stopped, so slices give no valid p99. A job's length is
// the minimum duration of its round.
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
