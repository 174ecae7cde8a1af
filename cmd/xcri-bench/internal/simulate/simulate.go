// Package simulate computes the work of a fleet's shared level and database for an import,
// and for visitors, by the protocol of package proxy/fleet. The same seed gives the same
// result.
package simulate

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// Model holds the properties of the parts, which were measured.
type Model struct {
	// Changed is the number of answers that an import changes, and Warm the number in the
	// warm set. After an import all answers of the set have other names.
	Changed, Warm int
	Value         int           // bytes of an answer in the level, on average
	Fill          time.Duration // reading an answer from an idle database
	Cores         int           // of the database
	Encode        time.Duration // encoding and compressing an answer in a member
	Recode        time.Duration // compressing an answer better, later; zero means never
	Generation    int           // bytes of a generation in the votes
	Wanted        int           // keys that visitors want, in the reports of a member
	Tables        int           // whose sums are read after an import
	Server
}

// Server holds the properties of the server of the level and of its network.
type Server struct {
	Request time.Duration // processor time for a request
	PerKB   time.Duration // and for 1,024 bytes of a value
	Message time.Duration // and for sending a message to a member
	Network float64       // bytes a second
	Latency time.Duration // of a request without any work
}

// Sizes in the protocol, in bytes with the framing of RESP.
const (
	claimIn, putIn, headIn     = 330, 420, 120
	syncIn, beatIn             = 170, 330
	syncOut, emptyOut, headOut = 80, 10, 12
	memberOut, messageOut      = 260, 190
	announceIn, voteIn         = 120, 420
	decisionIn, decisionOut    = 70, 120
	voteOut, wantIn            = 70, 330
	wantedBytes                = 80   // of a key
	sumBytes                   = 4000 // of the sums of a table
)

// The intervals of the protocol.
const (
	workers    = 4 // of a member that prepares a generation
	beat       = time.Second
	offerEvery = 2 * time.Second
	wantEvery  = time.Minute
	settle     = 5 * time.Second // from the import to the sums of its tables
	listed     = 50              // members in a list, for each heartbeat
)

// Options configure a run.
type Options struct {
	Model
	Members int
	Poll    time.Duration // interval of a member's polls of the database
	Window  time.Duration // counted from the import
	Seed    uint64
}

// Result is the work of a run in its window.
type Result struct {
	Fills    int // reads of the database for answers
	Requests int // of the level, without heartbeats
	Beats    int // heartbeats, and comparisons of the log
	Kinds
	Waits    int // claims that found another member's lock
	Messages int // to a member
	Bytes    float64
	Busy     time.Duration // processor time of the level's server
	// First and Last are the times from the import until the first member has published it,
	// and until all have.
	First, Last time.Duration
	Published   int // members that have
	// Silence is the longest time in which a member with a request under way received nothing.
	Silence time.Duration
}

// Kinds are some of the requests: votes, reports of wanted keys, claims and values of sums,
// reads of a decision, and announcements.
type Kinds struct{ Votes, Wants, Sums, Decisions, Announces int }

// event is a call at a time. Events of one time happen in the order in which they were
// added.
type event struct {
	at    time.Duration
	order int
	call  func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// run is a simulation under way.
type run struct {
	Options
	Result
	now    time.Duration
	order  int
	queue  events
	random *rand.Rand
	level  server
	// members are in the order of their start.
	members []*member
	summed  bool            // the first member reads the tables
	free    []time.Duration // when each core of the database is free
}

// at calls f at a time.
func (r *run) at(t time.Duration, f func()) {
	r.order++
	heap.Push(&r.queue, event{t, r.order, f})
}

// within returns a time before the end of an interval.
func (r *run) within(interval time.Duration) time.Duration {
	return time.Duration(r.random.Int64N(int64(interval)))
}

// Import simulates an import, from its commit until the end of the window.
func Import(o Options) Result {
	r := &run{Options: o, random: rand.New(rand.NewPCG(o.Seed, 0)), free: make([]time.Duration, o.Cores)}
	r.level = server{run: r, answers: make([]answer, o.Warm)}
	for i := range r.level.answers {
		r.level.answers[i].waiting = map[*member]func(){}
	}
	for range o.Members {
		r.members = append(r.members, &member{run: r, rank: make([]int, o.Warm), known: make([]int, o.Warm)})
	}
	for _, m := range r.members {
		m.start()
	}
	r.until()
	return r.Result
}

// until runs the simulation until the end of the window.
func (r *run) until() {
	for len(r.queue) > 0 && r.queue[0].at < r.Window {
		e := heap.Pop(&r.queue).(event)
		r.now = e.at
		e.call()
	}
}

// fill calls done after a read of the database, whose cores serve the reads in their order.
func (r *run) fill(done func()) {
	r.Fills++
	core := 0
	for i, free := range r.free {
		if free < r.free[core] {
			core = i
		}
	}
	r.free[core] = max(r.free[core], r.now) + r.Fill
	r.at(r.free[core]+r.Encode, done)
}
