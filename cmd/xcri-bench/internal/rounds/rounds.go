// Package rounds measures servers in turn, so that a change of the machine's speed
// affects all of them alike.
package rounds

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/wrk"
)

// Best returns the contender that answered the most requests.
func Best(all []Series, of ...int) int {
	return slices.MaxFunc(of, func(a, b int) int { return cmp.Compare(stats.Median(all[a].PerCPU), stats.Median(all[b].PerCPU)) })
}

// Series holds the measurements of a server, in the units of report.Pace.
type Series struct {
	PerCPU, perWall, P99, kernel []float64
	Requests                     int64 // total, including the warm-up
	Runs                         int   // runs of wrk that sent the requests
}

// Pace returns the medians of the measurements, for a table.
func (s Series) Pace(question, server string) report.Pace {
	return report.Pace{
		Question: question, Server: server, PerCPU: stats.Median(s.PerCPU), PerWall: stats.Median(s.perWall),
		P99: stats.Median(s.P99), Kernel: stats.Median(s.kernel),
	}
}

// count adds the requests of a wrk run. It returns an error if any request failed.
func (s *Series) count(done wrk.Result) error {
	if done.Failed > 0 || done.Requests == 0 {
		return fmt.Errorf("%d of %d requests failed", done.Failed, done.Requests)
	}
	s.Requests += done.Requests
	s.Runs++
	return nil
}

// add adds the result of a wrk run and the processor time of its server.
func (s *Series) add(done wrk.Result, spent machine.Used) error {
	if err := s.count(done); err != nil {
		return err
	}
	s.PerCPU = append(s.PerCPU, float64(done.Requests)/spent.Busy.Seconds())
	s.perWall = append(s.perWall, float64(done.Requests)/done.Seconds)
	s.kernel = append(s.kernel, spent.Kernel())
	return nil
}

// Job is a server and its load.
type Job struct {
	*machine.Service
	wrk.Load
}

// WarmUp loads each server briefly. Only the number of requests is counted.
func WarmUp(ctx context.Context, jobs []Job, all []Series) error {
	for i, j := range jobs {
		j.Length = max(j.Length, time.Second)
		done, err := wrk.Run(ctx, j.Load)
		if err == nil {
			err = all[i].count(done)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", j.Name, err)
		}
	}
	return nil
}

// Plan is the length of measurements.
type Plan struct {
	Short bool // fewer and shorter rounds
}

// Length is the length of a measurement without blocks that takes a time in a whole run.
func (p Plan) Length(whole time.Duration) time.Duration {
	if p.Short {
		return whole / 12
	}
	return whole
}

// Repeats is the number of measurements without blocks.
func (p Plan) Repeats() int {
	if p.Short {
		return 3
	}
	return 9
}

// Count returns n, or with Short the smaller number.
func (p Plan) Count(n, short int) int {
	if p.Short {
		return short
	}
	return n
}

// Rounds measures jobs in turn for a second each, without stopping wrk: requests under
// way would wait while it is stopped, so slices give no valid p99. A job's length is
// the minimum duration of its round.
func (p Plan) Rounds(ctx context.Context, jobs []Job) ([]Series, error) {
	all := make([]Series, len(jobs))
	for range p.Repeats() {
		for i, j := range jobs {
			j.Length = max(j.Length, time.Second)
			if err := all[i].measure(ctx, j); err != nil {
				return nil, fmt.Errorf("%s: %w", j.Name, err)
			}
		}
	}
	return all, nil
}

func (s *Series) measure(ctx context.Context, j Job) error {
	before, err := j.CPU()
	if err != nil {
		return err
	}
	done, err := wrk.Run(ctx, j.Load)
	if err != nil {
		return err
	}
	after, err := j.CPU()
	if err != nil {
		return err
	}
	s.P99 = append(s.P99, done.P99.Seconds())
	return s.add(done, after.Minus(before))
}
