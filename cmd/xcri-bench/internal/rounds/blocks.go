package rounds

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/wrk"
)

// The parts of a block. On a shared machine the speed of a core changes from second to
// second, so the compared servers must be measured within the same second: slices are
// short enough for that.
const (
	slice = 100 * time.Millisecond
	// lull is the time for a server to finish requests under way after its wrk is
	// paused.
	lull = 3 * time.Millisecond
	// starting is more than the time to start all wrks of a block.
	starting = time.Second
)

// blocks is the number of blocks, and of a server's slices in each block.
func (p Plan) blocks() (n, turns int) {
	if p.Short {
		return 2, 6
	}
	return 8, 10
}

// Match measures the rates of servers, one for each job, block by block. It does not
// measure a p99: see Plan.Rounds.
func (p Plan) Match(ctx context.Context, jobs []Job) ([]Series, error) {
	all := make([]Series, len(jobs))
	if err := WarmUp(ctx, jobs, all); err != nil {
		return nil, err
	}
	n, turns := p.blocks()
	for range n {
		if err := block(ctx, jobs, all, turns); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// block runs a wrk for each server in turn, slice by slice, and pauses it in between.
// A server's processor time from before the start of its wrk until after its end is
// attributed to the wrk's requests. That includes background work of the server: a
// thousandth of the block for the proxy, and less for the others.
func block(ctx context.Context, jobs []Job, all []Series, turns int) error {
	clients := make([]*wrk.Client, len(jobs))
	before := make([]machine.Used, len(jobs))
	defer func() {
		for _, c := range clients {
			if c != nil {
				c.Kill()
			}
		}
	}()
	for i, j := range jobs {
		var err error
		if before[i], err = j.CPU(); err != nil {
			return err
		}
		j.Length = blockLength(len(jobs), turns)
		if clients[i], err = wrk.Start(ctx, j.Load); err != nil {
			return fmt.Errorf("%s: %w", j.Name, err)
		}
		time.Sleep(lull)
	}
	for turn := range turns {
		for _, i := range Order(turn, len(jobs)) {
			if err := clients[i].Run(ctx, slice); err != nil {
				return err
			}
			time.Sleep(lull)
		}
	}
	for i, j := range jobs {
		if err := all[i].collect(ctx, j, clients[i], before[i]); err != nil {
			return fmt.Errorf("%s: %w", j.Name, err)
		}
	}
	return nil
}

// collect adds the results of a block.
func (s *Series) collect(ctx context.Context, j Job, c *wrk.Client, before machine.Used) error {
	done, err := c.Finish(ctx)
	if err != nil {
		return err
	}
	time.Sleep(lull)
	after, err := j.CPU()
	if err != nil {
		return err
	}
	return s.add(done, after.Minus(before))
}

// blockLength returns the duration for a wrk to run until the end of a block, in whole
// seconds, as wrk accepts no others.
func blockLength(jobs, turns int) time.Duration {
	all := time.Duration(jobs*turns)*(slice+lull) + starting
	return time.Duration(math.Ceil(all.Seconds())) * time.Second
}

// Order returns the order of n servers in a turn. Each turn begins with another
// server.
func Order(turn, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = (turn + i) % n
	}
	return all
}
