package main

import (
	"context"
	"fmt"
	"math"
	"time"
)

// What a block is cut into. On a machine that is shared the speed of a core changes
// from one second to the next: what is compared must be measured in the same
// second, and a slice is short enough for that.
const (
	slice = 100 * time.Millisecond
	// lull is how long a server has to finish what is under way when its wrk is
	// stopped.
	lull = 3 * time.Millisecond
	// starting is more than it takes to start all wrks of a block.
	starting = time.Second
)

// blocks is how many blocks there are, and how many slices a server has in each.
func (l *lab) blocks() (n, turns int) {
	if l.short {
		return 2, 6
	}
	return 8, 10
}

// match measures how many requests servers answer, each job a server of its own,
// block by block. It measures no p99: see rounds.
func (l *lab) match(ctx context.Context, jobs []job) ([]series, error) {
	all := make([]series, len(jobs))
	if err := warmUp(ctx, jobs, all); err != nil {
		return nil, err
	}
	n, turns := l.blocks()
	for range n {
		if err := block(ctx, jobs, all, turns); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// block lets one wrk for each server run in turn, slice by slice, and stops it in
// between. All that a server spends from before its wrk starts until after that
// has ended is spent on that wrk's requests. What a server does unasked is spent on
// them too, which is a thousandth of the block for the proxy and less for others.
func block(ctx context.Context, jobs []job, all []series, turns int) error {
	clients := make([]*client, len(jobs))
	before := make([]used, len(jobs))
	defer func() {
		for _, c := range clients {
			if c != nil {
				c.kill()
			}
		}
	}()
	for i, j := range jobs {
		var err error
		if before[i], err = j.cpu(); err != nil {
			return err
		}
		j.length = blockLength(len(jobs), turns)
		if clients[i], err = startClient(ctx, j.load); err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
		time.Sleep(lull)
	}
	for turn := range turns {
		for _, i := range order(turn, len(jobs)) {
			if err := clients[i].run(ctx, slice); err != nil {
				return err
			}
			time.Sleep(lull)
		}
	}
	for i, j := range jobs {
		if err := all[i].collect(ctx, j, clients[i], before[i]); err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
	}
	return nil
}

// collect adds what came of a block.
func (s *series) collect(ctx context.Context, j job, c *client, before used) error {
	done, err := c.finish(ctx)
	if err != nil {
		return err
	}
	time.Sleep(lull)
	after, err := j.cpu()
	if err != nil {
		return err
	}
	return s.add(done, after.minus(before))
}

// blockLength is how long a wrk must run by the clock to see the end of a block, in
// whole seconds, which are what it takes.
func blockLength(jobs, turns int) time.Duration {
	all := time.Duration(jobs*turns)*(slice+lull) + starting
	return time.Duration(math.Ceil(all.Seconds())) * time.Second
}

// order says which of n has the first, the second slice and so on of a turn. Each
// turn begins with another.
func order(turn, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = (turn + i) % n
	}
	return all
}
