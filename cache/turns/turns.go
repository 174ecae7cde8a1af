// Package turns decides which fills may run now. A fixed number of slots is shared by
// lanes of quick and long fills, by groups of fills that depend on the same part of the
// origin, and by clients, so that none of them takes all slots.
package turns

import (
	"context"
	"slices"
	"sync"
)

// Lane classifies fills by the time for which they keep the origin busy. Lanes share the
// slots for fills so that long fills do not delay short fills.
type Lane uint8

// The lanes.
const (
	Quick  Lane = iota // short
	Heavy              // long, but about equally long for all keys
	Costly             // of any length, which the client's parameters decide
	Idle               // a fill that no request waits for, and that waits for all other fills
	Lanes              // the number of lanes
)

// String returns the name of the lane in metrics and logs.
func (l Lane) String() string { return [Lanes]string{"quick", "heavy", "costly", "idle"}[l] }

// Stats are figures of one lane.
type Stats struct{ Running, Queued int64 }

// Turn is the turn of one fill. It belongs to a lane, to a group of keys that depend on the
// same part of the origin, and to the client that the fill counts for.
type Turn struct {
	Lane   Lane
	Group  string // empty for none
	Client string // empty for none

	number int64 // in the order of arrival
	given  chan struct{}
}

// class identifies the turns that share the same limits, except for the limit of a
// client.
type class struct {
	lane  Lane
	group string
}

// limits are the maximum numbers of concurrent fills, by kind.
type limits struct {
	all  int
	own  [Lanes]int // of a lane
	long int        // of Heavy and Costly together
	part [Idle]int  // of a lane in a group, together with longer lanes
	// spare is the number of slots that are free when an Idle fill gets its turn: its own,
	// and one for the next request if there are several.
	spare int
	// client limits the Costly fills of one client.
	client int
}

// newLimits divides n slots: no lane can take all of them, nor can a group, and in each
// group a Heavy fill finds a slot beside Costly fills, and a Quick fill beside both.
// Fewer than four slots can't hold all of these rules; a slot for Quick comes first.
func newLimits(n int) limits {
	costly := min(n/4+1, max(1, n-2))
	group := max(min(n, 2), (n+1)/2)
	return limits{
		all: n, own: [Lanes]int{max(1, n-1), max(1, n-1), costly, 1}, long: max(1, n-1),
		part:  [Idle]int{group, max(1, group-1), max(1, group-2)},
		spare: min(2, n), client: max(1, costly-1),
	}
}

// Turns gives fills their turns in the order of arrival, except that a turn whose lane,
// group or client is at its limit lets others pass. The turn that has waited longest gets
// the first slot that its limits allow, so that no turn waits forever. The exception is an
// Idle turn, which is given only while no other turn waits. Turns is safe for concurrent use.
type Turns struct {
	limits limits

	mu      sync.Mutex
	arrived int64
	running [Lanes]int
	groups  map[string]*[Lanes]int
	clients map[string]int // running Costly fills
	queues  map[class][]*Turn
}

// New returns n free slots. If lanes is false, all turns must be Quick, and Quick fills
// may take all slots.
func New(n int, lanes bool) *Turns {
	l := newLimits(n)
	if !lanes {
		l.own[Quick] = l.all
	}
	return &Turns{limits: l, groups: map[string]*[Lanes]int{}, clients: map[string]int{}, queues: map[class][]*Turn{}}
}

// Enter waits for a turn. It returns the error of ctx if ctx ends first; otherwise Leave must
// follow.
func (ts *Turns) Enter(ctx context.Context, t *Turn) error {
	t.given = make(chan struct{})
	at := class{t.Lane, t.Group}
	ts.mu.Lock()
	ts.arrived++
	t.number = ts.arrived
	ts.queues[at] = append(ts.queues[at], t)
	ts.admit()
	ts.mu.Unlock()
	select {
	case <-t.given:
	case <-ctx.Done():
	}
	if ctx.Err() == nil {
		return nil
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if !ts.remove(t) { // the turn came at the same moment
		ts.end(t)
	}
	ts.admit() // an Idle turn may have given way to it
	return ctx.Err()
}

// Leave ends a turn.
func (ts *Turns) Leave(t *Turn) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.end(t)
	ts.admit()
}

// admit gives turns for as long as any may be given. The caller holds mu.
func (ts *Turns) admit() {
	for {
		var first *Turn
		for at, queue := range ts.queues {
			if !ts.fits(at) {
				continue
			}
			i := slices.IndexFunc(queue, ts.clientFits)
			if i >= 0 && (first == nil || queue[i].number < first.number) {
				first = queue[i]
			}
		}
		if first == nil {
			return
		}
		ts.remove(first)
		ts.begin(first)
		close(first.given)
	}
}

// fits reports whether a lane and a group are below their limits.
func (ts *Turns) fits(at class) bool {
	l, long := &ts.limits, ts.running[Heavy]+ts.running[Costly]
	free := l.all - long - ts.running[Quick] - ts.running[Idle]
	if at.lane == Idle {
		return free >= l.spare && ts.running[Idle] < l.own[Idle] && ts.onlyIdle()
	}
	if free <= 0 || ts.running[at.lane] >= l.own[at.lane] || at.lane != Quick && long >= l.long {
		return false
	}
	running := ts.groups[at.group]
	if at.group == "" || running == nil {
		return true
	}
	sum := 0
	for lane := Costly; ; lane-- {
		if sum += running[lane]; lane <= at.lane && sum >= l.part[lane] {
			return false
		}
		if lane == Quick {
			return true
		}
	}
}

// onlyIdle reports whether all turns that wait are Idle.
func (ts *Turns) onlyIdle() bool {
	for at := range ts.queues {
		if at.lane != Idle {
			return false
		}
	}
	return true
}

func (ts *Turns) clientFits(t *Turn) bool {
	return t.Client == "" || t.Lane != Costly || ts.clients[t.Client] < ts.limits.client
}

// remove takes a turn out of its queue. It reports whether the turn was there.
func (ts *Turns) remove(t *Turn) bool {
	at := class{t.Lane, t.Group}
	queue := ts.queues[at]
	i := slices.Index(queue, t)
	if i < 0 {
		return false
	}
	if len(queue) == 1 {
		delete(ts.queues, at)
	} else {
		ts.queues[at] = slices.Delete(queue, i, i+1)
	}
	return true
}

func (ts *Turns) begin(t *Turn) {
	ts.running[t.Lane]++
	if ts.groups[t.Group] == nil {
		ts.groups[t.Group] = &[Lanes]int{}
	}
	ts.groups[t.Group][t.Lane]++
	if t.Lane == Costly && t.Client != "" {
		ts.clients[t.Client]++
	}
}

func (ts *Turns) end(t *Turn) {
	ts.running[t.Lane]--
	group := ts.groups[t.Group]
	if group[t.Lane]--; *group == [Lanes]int{} {
		delete(ts.groups, t.Group)
	}
	if t.Lane == Costly && t.Client != "" {
		if ts.clients[t.Client]--; ts.clients[t.Client] == 0 {
			delete(ts.clients, t.Client)
		}
	}
}

// Stats returns the figures of this moment.
func (ts *Turns) Stats() (of [Lanes]Stats) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for lane := range of {
		of[lane].Running = int64(ts.running[lane])
	}
	for at, queue := range ts.queues {
		of[at.lane].Queued += int64(len(queue))
	}
	return of
}
