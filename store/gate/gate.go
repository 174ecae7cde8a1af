// Package gate limits how many callers may do something at the same time. Its
// limit can fall while callers wait, and grows back slowly.
package gate

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// firstGrowth is the pause between two attempts to open one connection more
	// than the server granted. It doubles after each failure, to longestGrowth.
	firstGrowth, longestGrowth = 10 * time.Second, 5 * time.Minute
)

// Gate limits the connections in use. Its limit shrinks to the number that the server
// grants and grows back slowly. Urgent callers (the poll) come first. While the limit is
// lower than configured, one place is reserved for them, because other callers choose their
// number by the configured limit. It is safe for concurrent use.
type Gate struct {
	most int // the configured limit

	mu             sync.Mutex
	limit          int
	used, normal   int // places taken by all callers, and by normal callers
	urgent, queue  []*waiter
	growth         growth
	waits, refused int64
	waited         time.Duration
}

// growth holds the time and the pause for raising a lowered limit.
type growth struct {
	pause time.Duration // between two attempts
	at    time.Time
	tried bool // the limit was raised, and no refusal has followed
}

type waiter struct {
	ready  chan struct{} // closed when the place is given
	urgent bool
}

// New returns a Gate whose configured limit is most.
func New(most int) *Gate {
	return &Gate{most: most, limit: most, growth: growth{pause: firstGrowth}}
}

// Enter takes a place. It returns ctx's error if no place becomes free before ctx
// ends.
func (g *Gate) Enter(ctx context.Context, urgent bool) error {
	w := &waiter{make(chan struct{}), urgent}
	g.mu.Lock()
	queue := g.queueOf(urgent)
	*queue = append(*queue, w)
	g.grow(time.Now(), !g.fits(urgent))
	g.admit()
	admitted := !slices.Contains(*queue, w)
	if !admitted {
		g.waits++
	}
	g.mu.Unlock()
	if admitted {
		return nil
	}
	start := time.Now()
	select {
	case <-w.ready:
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waited += time.Since(start)
	if i := slices.Index(*queue, w); i >= 0 {
		*queue = slices.Delete(*queue, i, i+1)
		return context.Cause(ctx)
	}
	return nil // also if ctx ended at the same moment
}

// Leave gives back a place that Enter has taken with the same value of urgent.
func (g *Gate) Leave(urgent bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used--
	if !urgent {
		g.normal--
	}
	g.grow(time.Now(), len(g.urgent)+len(g.queue) > 0)
	g.admit()
}

// Shrink lowers the limit to the number of connections that the server granted,
// at least one. It returns the new limit, and whether it is lower than before.
func (g *Gate) Shrink(granted int) (limit int, shrunk bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused++
	if g.growth.tried {
		g.growth.pause, g.growth.tried = min(2*g.growth.pause, longestGrowth), false
	}
	g.growth.at = time.Now().Add(g.growth.pause)
	if granted = max(granted, 1); granted < g.limit {
		g.limit, shrunk = granted, true
	}
	return g.limit, shrunk
}

// grow raises a lowered limit by one if there is demand and the last refusal is
// long enough ago. The caller holds mu.
func (g *Gate) grow(now time.Time, demand bool) {
	if !demand || g.limit == g.most || now.Before(g.growth.at) {
		return
	}
	if g.growth.tried { // and no refusal followed
		g.growth.pause = firstGrowth
	}
	g.limit++
	g.growth.tried, g.growth.at = true, now.Add(g.growth.pause)
}

// reserved returns the number of places that normal callers can't take.
func (g *Gate) reserved() int {
	if g.limit > 1 && g.limit < g.most {
		return 1
	}
	return 0
}

func (g *Gate) fits(urgent bool) bool {
	return g.used < g.limit && (urgent || g.normal < g.limit-g.reserved())
}

func (g *Gate) take(urgent bool) {
	g.used++
	if !urgent {
		g.normal++
	}
}

func (g *Gate) queueOf(urgent bool) *[]*waiter {
	if urgent {
		return &g.urgent
	}
	return &g.queue
}

// admit gives free places to waiting callers, in order. The caller holds mu.
func (g *Gate) admit() {
	for _, queue := range []*[]*waiter{&g.urgent, &g.queue} {
		for len(*queue) > 0 && g.fits((*queue)[0].urgent) {
			g.take((*queue)[0].urgent)
			close((*queue)[0].ready)
			*queue = (*queue)[1:]
		}
	}
}

// Waiting reports whether a caller waits for a place.
func (g *Gate) Waiting() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.urgent)+len(g.queue) > 0
}

// Stats are the counters of a Gate.
type Stats struct {
	Limit, Used int           // all places now, and the places taken
	Waits       int64         // callers that waited
	Waited      time.Duration // their total waiting time
	Refused     int64         // calls of Shrink
}

// Stats returns the current counters.
func (g *Gate) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Stats{g.limit, g.used, g.waits, g.waited, g.refused}
}
