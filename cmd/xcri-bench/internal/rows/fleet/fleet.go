// Package fleet measures the rows of several proxies that share a Redis.
package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/level"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
)

// addrs are the addresses of the members. The first is the address of a single proxy.
var addrs = []string{ask.ProxyAddr, "127.0.0.1:18091", "127.0.0.1:18092", "127.0.0.1:18093",
	"127.0.0.1:18094", "127.0.0.1:18095", "127.0.0.1:18096", "127.0.0.1:18097"}

// fleet is a Redis and the proxies that share it.
type fleet struct {
	level   level.Level
	members []*machine.Service
}

// open starts a Redis and n members with further settings, and waits until the level has
// the warm set.
func open(ctx context.Context, l *lab.Lab, n int, env ...string) (f *fleet, err error) {
	f = &fleet{}
	if f.level, err = level.Start(ctx); err != nil {
		return nil, err
	}
	for _, addr := range addrs[:n] {
		if _, err := f.join(ctx, l, addr, env...); err != nil {
			f.close()
			return nil, err
		}
	}
	if err := f.offered(ctx, afterStart); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// join starts a member and waits for its warm set.
func (f *fleet) join(ctx context.Context, l *lab.Lab, addr string, env ...string) (*machine.Service, error) {
	m, err := l.StartAt(ctx, addr, "", append([]string{level.Setting}, env...)...)
	if err != nil {
		return nil, err
	}
	f.members = append(f.members, m)
	err = m.Await(ctx, func() bool { return lab.Settled(ctx, addr) })
	return m, err
}

func (f *fleet) close() {
	for _, m := range f.members {
		m.Stop()
	}
	f.level.Stop()
}

// The times without a new answer in the level after which each member has compared its warm
// set with the level's at least twice: after a start, and after an import, whose tables
// must be quiet first.
const (
	afterStart  = 5 * time.Second
	afterImport = 15 * time.Second
)

// offered waits until no member has stored an answer in the level for a time.
func (f *fleet) offered(ctx context.Context, calm time.Duration) error {
	last, since, reason := int64(-1), time.Now(), ""
	for deadline := time.Now().Add(2 * time.Minute); time.Since(since) < calm; time.Sleep(50 * time.Millisecond) {
		puts := int64(0)
		for _, m := range f.members {
			s, err := ask.StatsOf(ctx, m.Addr)
			if err != nil {
				return err
			}
			if s.Fleet.Breaker != "closed" {
				last = -1
				reason = fmt.Sprintf("; the circuit breaker of %s is open: %s", m.Addr, s.Fleet.Reason)
			}
			puts += s.Fleet.Puts
		}
		if puts != last {
			last, since = puts, time.Now()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the members still store answers: %d%s", puts, reason)
		}
	}
	return nil
}

// traffic is the work of the level in a time, beyond the members' heartbeats.
type traffic struct {
	requests, bytes float64
}

// during counts the traffic of do, and then of the members' heartbeats for a time, whose
// share it subtracts.
func (f *fleet) during(ctx context.Context, do func() error) (t traffic, err error) {
	begun := time.Now()
	before, err := f.level.Counts(ctx)
	if err != nil {
		return t, err
	}
	if err := do(); err != nil {
		return t, err
	}
	after, err := f.level.Counts(ctx)
	if err != nil {
		return t, err
	}
	took := time.Since(begun)
	const idle = 10 * time.Second
	time.Sleep(idle)
	later, err := f.level.Counts(ctx)
	if err != nil {
		return t, err
	}
	work, rest, share := after.Minus(before), later.Minus(after), took.Seconds()/idle.Seconds()
	return traffic{
		requests: float64(work.Requests()) - share*float64(rest.Requests()),
		bytes:    float64(work.In+work.Out) - share*float64(rest.In+rest.Out),
	}, nil
}
