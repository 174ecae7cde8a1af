// Package judge decides whether a cache's answer was right while the database changed.
// It records the states of the database with the right answer of each key, and when
// each state was committed.
package judge

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Answer identifies an answer by its status and its body.
type Answer struct {
	Status int
	sum    [sha256.Size]byte
}

// AnswerOf returns the Answer with a status and a body without content coding.
func AnswerOf(status int, body []byte) Answer { return Answer{status, sha256.Sum256(body)} }

// State is a committed state of the database.
type State struct {
	Name       string // the change that made it
	Generation string // of all calculations
	Keys       map[string]Key
}

// Key is the right answer of a key in a state.
type Key struct {
	Answer     Answer
	Generation string // of the calculations that the answer depends on
}

// Record holds the states of the database and the events of the cache. It is safe for
// concurrent use.
type Record struct {
	late time.Duration

	mu     sync.Mutex
	states []state
	keys   map[string][]run
	now    Floor
	faults int // that are active
}

// state is a State in the record. An answer that was read before begun or after the
// following state was committed is not of this state.
type state struct {
	name, generation string
	begun, committed time.Time // committed is zero while the commit is under way
}

// run is a sequence of states in which a key has the same answer and generation. It
// ends with the state before the next run.
type run struct {
	from int
	Key
}

// Floor is the lower limit for the answers of requests that begin at one moment.
type Floor struct {
	process   int       // number of the process that is running
	published int       // the first state with the published generation; negative for none
	whole     bool      // all of the warm set was published
	notBefore time.Time // of the last hard purge
	calm      time.Time // the end of the last fault; zero while there is a fault
}

// New returns a Record. late is the longest time for which an answer may count as
// fresh after a change that no calculation reports, without faults.
func New(late time.Duration) *Record {
	return &Record{late: late, keys: map[string][]run{}, now: Floor{published: -1, calm: time.Now()}}
}

// Begin records that the change to a state begins: from now on answers may be of it.
func (r *Record) Begin(s State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	number := len(r.states)
	r.states = append(r.states, state{name: s.Name, generation: s.Generation, begun: time.Now()})
	for name, key := range s.Keys {
		runs := r.keys[name]
		if len(runs) == 0 || runs[len(runs)-1].Key != key {
			r.keys[name] = append(runs, run{number, key})
		}
	}
}

// Committed records that the newest state is committed.
func (r *Record) Committed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states[len(r.states)-1].committed = time.Now()
}

// Published records that the cache has published a generation. whole reports whether
// that includes all of the warm set. It returns false for a generation that no state
// has had.
func (r *Record) Published(generation string, whole bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := slices.IndexFunc(r.states, func(s state) bool { return s.generation == generation })
	if first < 0 {
		return false
	}
	r.now.published, r.now.whole = first, whole
	return true
}

// Restarted records that the process which has published is stopped.
func (r *Record) Restarted() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.process++
	r.now.published, r.now.notBefore = -1, time.Time{}
}

// Purged records that a hard purge of all keys, begun at a time, has ended.
func (r *Record) Purged(begun time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.notBefore = begun
}

// Fault records that a fault begins. It ends with the call of end.
func (r *Record) Fault() (end func()) {
	r.fault(1)
	return sync.OnceFunc(func() { r.fault(-1) })
}

func (r *Record) fault(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults += n
	r.now.calm = time.Time{}
	if r.faults == 0 {
		r.now.calm = time.Now()
	}
}

// Floor returns the limit for the answer of a request that begins now.
func (r *Record) Floor() Floor {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// Seen is an answer that a visitor has received.
type Seen struct {
	Key          string
	Warm         bool // the key is in the warm set
	Outcome      string
	Answer       Answer
	Floor        Floor // at Begun
	Begun, Ended time.Time
}

// Verdict is the judgement of an answer.
type Verdict int

// The verdicts.
const (
	Right    Verdict = iota
	Wrong            // of no state of the database
	Older            // of a state before the last publish, or before a hard purge
	Outdated         // loaded for the request, and of a state that had ended before it
	Late             // fresh, although the database has changed long ago
	Verdicts
)

// String returns the name of a verdict.
func (v Verdict) String() string {
	return [Verdicts]string{"right", "wrong", "older", "outdated", "late"}[v]
}

// patience is the longest time by which a load is older than a request that joins it.
const patience = 30 * time.Second

// Judge returns the verdict on an answer, and the states that it could be of. The best
// verdict counts if the answer is the same in several states.
func (r *Record) Judge(s Seen) (Verdict, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	best, states := Wrong, ""
	runs := r.keys[s.Key]
	for i, candidate := range runs {
		last := len(r.states) - 1
		if i+1 < len(runs) {
			last = runs[i+1].from - 1
		}
		if candidate.Answer != s.Answer || r.states[candidate.from].begun.After(s.Ended) {
			continue
		}
		verdict := r.judge(&s, last)
		states += fmt.Sprintf(" %s: states %d to %d (%s), ended %s;", verdict, candidate.from, last, r.states[last].name, clock(r.ended(last)))
		if verdict == Right {
			return Right, states
		}
		if best == Wrong || verdict > best {
			best = verdict
		}
	}
	return best, states + fmt.Sprintf(" now in state %d, published %d", len(r.states)-1, s.Floor.published)
}

// judge returns the verdict on an answer whose last possible state is given.
func (r *Record) judge(s *Seen, last int) Verdict {
	fresh := s.Outcome == "hit"
	ended := r.ended(last)
	since := func(t time.Time) bool { return ended.IsZero() || !ended.Before(t) }
	same := s.Floor.process == r.now.process
	switch {
	case same && (fresh || s.Warm && s.Floor.whole) && last < r.lowest(s.Key, s.Floor.published):
		return Older
	case same && !since(s.Floor.notBefore):
		return Older
	case s.Outcome == "miss" && !since(s.Begun), s.Outcome == "coalesced" && !since(s.Begun.Add(-patience)):
		return Outdated
	case fresh && !s.Floor.calm.IsZero() && !since(s.Begun.Add(-r.late)) && s.Begun.Sub(s.Floor.calm) > r.late:
		return Late
	}
	return Right
}

// ended returns when the state after the given one was committed; the zero time if it
// is not.
func (r *Record) ended(number int) time.Time {
	if number+1 < len(r.states) {
		return r.states[number+1].committed
	}
	return time.Time{}
}

// lowest returns the first state in which a key had the generation that it has in the
// published state.
func (r *Record) lowest(key string, published int) int {
	generation := ""
	for _, one := range r.keys[key] {
		if one.from <= published {
			generation = one.Generation
		}
	}
	for _, one := range r.keys[key] {
		if one.from <= published && one.Generation == generation {
			return one.from
		}
	}
	return 0
}

// clock writes a time of day.
func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Format("15:04:05.000")
}
