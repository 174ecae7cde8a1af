// Package fleettest has parts for tests of a fleet: a stand-in for the server that the
// members share, and the suite that any fleet.Engine passes.
package fleettest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
)

// ErrDown is the error of an operation while the Server is down.
var ErrDown = errors.New("the stand-in is down")

// Server is a stand-in for the server that the members share. It keeps everything in
// memory, and can fail in the ways of a real server. It is safe for concurrent use.
type Server struct {
	mu     sync.Mutex
	values map[string]expiring
	locks  map[string]*lock
	reports
	results
	texts    fleet.Texts
	log      []fleet.Event
	events   int
	sessions map[*listener]bool
	state    Failure
	delay    time.Duration
	counts   counts
}

// counts are counters of a Server.
type counts struct {
	ops    int
	listed int // members in lists
	moved  atomic.Int64
	unread
}

// results are the sums of the reports of the members.
type results struct {
	votes votes
	wants wants
}

// Failure is a state of a Server.
type Failure int

// The states.
const (
	Works  Failure = iota
	Down           // refuses operations, and has ended all sessions
	Hangs          // answers nothing
	Full           // refuses values
	Unread         // answers, but no member reads the answers until the next state
)

// reports are the last reports of the members that are alive, by ID, and gone, by name.
type reports struct{ members, gone map[string]heard }

// heard is the last report of a member.
type heard struct {
	info []byte
	at   time.Time
}

type expiring struct {
	value []byte
	until time.Time
}

// lock is the lock of a name, by its token.
type lock struct {
	token   string
	until   time.Time
	awaited bool // another token waits for it
}

type listener struct {
	receive func(fleet.Message)
	lost    chan struct{}
}

// NewServer returns an empty Server.
func NewServer() *Server {
	s := &Server{sessions: map[*listener]bool{}}
	s.Flush()
	return s
}

// Flush removes everything.
func (s *Server) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values, s.locks, s.members, s.gone = map[string]expiring{}, map[string]*lock{}, map[string]heard{}, map[string]heard{}
	s.results, s.votes = results{}, votes{}
	s.texts, s.log = fleet.Texts{}, nil
}

// Fail changes the state.
func (s *Server) Fail(state Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
	s.counts.change()
	if state == Down {
		for l := range s.sessions {
			close(l.lost)
			delete(s.sessions, l)
		}
	}
}

// Delay makes each operation take a time.
func (s *Server) Delay(delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = delay
}

// Trim removes the events before the last n, as the log of a server does beyond its limit.
func (s *Server) Trim(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = slices.Clone(s.log[max(0, len(s.log)-n):])
}

// Save returns a function that brings back the present values, locks and log, as a failover
// to a replica does.
func (s *Server) Save() (back func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	values, locks, texts, log := maps.Clone(s.values), maps.Clone(s.locks), s.texts, slices.Clone(s.log)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.values, s.locks, s.texts, s.log = values, locks, texts, log
	}
}

// Operations returns the number of operations so far.
func (s *Server) Operations() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts.ops
}

// Series returns the present series.
func (s *Server) Series() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.texts.Series
}

// Lasting returns the present text of the lasting actions.
func (s *Server) Lasting() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.texts.Lasting
}

// Send lets bytes arrive at all members that complete no operation.
func (s *Server) Send(bytes int64) { s.counts.moved.Add(bytes) }

// Listed returns the number of members in the lists so far.
func (s *Server) Listed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts.listed
}

// Values returns the values, by name.
func (s *Server) Values() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string][]byte{}
	for name, v := range s.values {
		if time.Now().Before(v.until) {
			all[name] = v.value
		}
	}
	return all
}

// SetAll replaces each value by the result of change.
func (s *Server) SetAll(change func(value []byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, v := range s.values {
		s.values[name] = expiring{change(bytes.Clone(v.value)), v.until}
	}
}

// Engine returns a connection of one member.
func (s *Server) Engine() fleet.Engine { return &engine{s} }

type engine struct{ *Server }

// do runs an operation. It waits while the server hangs.
func (s *Server) do(ctx context.Context, operation func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.ops++
	defer s.wait()()
	if s.delay > 0 {
		timer := time.NewTimer(s.delay)
		defer timer.Stop()
		s.mu.Unlock()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
	s.read(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.state == Down:
		return ErrDown
	case s.state == Hangs:
		s.mu.Unlock()
		<-ctx.Done()
		s.mu.Lock()
		return ctx.Err()
	}
	return operation()
}

// publish sends a message to all listeners. The caller holds mu.
func (s *Server) publish(kind fleet.Kind, text string) {
	for l := range s.sessions {
		l.receive(fleet.Message{Kind: kind, Text: text})
	}
}

// lock returns the present lock of a name. The caller holds mu.
func (s *Server) lock(name string) (l *lock, ok bool) {
	l, ok = s.locks[name]
	return l, ok && time.Now().Before(l.until)
}

// unlock releases the lock of a name if the token has it, and publishes the name if
// another token waits. The caller holds mu.
func (s *Server) unlock(name, token string) {
	l, ok := s.lock(name)
	if ok && l.token == token {
		delete(s.locks, name)
	}
	if ok && l.awaited {
		s.publish(fleet.Filled, name)
	}
}

func (e *engine) Listen(ctx context.Context, ready func(), receive func(fleet.Message)) error {
	l := &listener{receive, make(chan struct{})}
	if err := e.do(ctx, func() error { e.sessions[l] = true; return nil }); err != nil {
		return err
	}
	ready()
	select {
	case <-l.lost:
		return ErrDown
	case <-ctx.Done():
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sessions, l)
	return nil
}

func (e *engine) Ping(ctx context.Context) error { return e.do(ctx, func() error { return nil }) }

func (e *engine) Claim(ctx context.Context, name, token string, lease time.Duration, sure bool) (c fleet.Claim, err error) {
	err = e.do(ctx, func() error {
		if v, ok := e.values[name]; ok && time.Now().Before(v.until) && (!sure || len(v.value) > 0 && v.value[0] == '1') {
			c.Value = bytes.Clone(v.value)
			return nil
		}
		if l, ok := e.lock(name); ok {
			c.Left, l.awaited = time.Until(l.until), true
			return nil
		}
		if e.state == Full {
			return fleet.ErrFull
		}
		c.Claimed = true
		e.locks[name] = &lock{token: token, until: time.Now().Add(lease)}
		return nil
	})
	return c, err
}

func (e *engine) Extend(ctx context.Context, name, token string, lease time.Duration) error {
	return e.do(ctx, func() error {
		if l, ok := e.lock(name); ok && l.token == token {
			l.until = time.Now().Add(lease)
		}
		return nil
	})
}

func (e *engine) Put(ctx context.Context, name, token string, value []byte, ttl time.Duration) error {
	return e.do(ctx, func() error {
		defer e.unlock(name, token)
		if e.state == Full {
			return fleet.ErrFull
		}
		e.values[name] = expiring{bytes.Clone(value), time.Now().Add(ttl)}
		return nil
	})
}

func (e *engine) Release(ctx context.Context, name, token string) error {
	return e.do(ctx, func() error { e.unlock(name, token); return nil })
}

func (e *engine) Head(ctx context.Context, name string, n int) (head []byte, err error) {
	err = e.do(ctx, func() error {
		if v, ok := e.values[name]; ok && time.Now().Before(v.until) {
			head = bytes.Clone(v.value[:min(n, len(v.value))])
		}
		return nil
	})
	return head, err
}

func (e *engine) Drop(ctx context.Context, name string) error {
	return e.do(ctx, func() error { delete(e.values, name); return nil })
}

func (e *engine) Sync(ctx context.Context, series string, first []byte) (at fleet.Position, err error) {
	err = e.do(ctx, func() error {
		if e.texts.Series == "" {
			e.texts.Series, e.log = series, nil
			e.add(first)
		}
		at = fleet.Position{Texts: e.texts, Last: e.log[len(e.log)-1].ID}
		return nil
	})
	return at, err
}

// add adds an event to the log. The caller holds mu.
func (e *engine) add(text []byte) (id string) {
	e.events++
	id = fmt.Sprintf("%d-0", e.events)
	e.log = append(e.log, fleet.Event{ID: id, Text: bytes.Clone(text)})
	return id
}

func (e *engine) Append(ctx context.Context, event []byte, present, next fleet.Texts) (id string, err error) {
	err = e.do(ctx, func() error {
		switch {
		case e.texts.Series == "":
			return nil
		case next.Series != "" && e.texts.Series != present.Series, next.Lasting != "" && e.texts.Lasting != present.Lasting:
			return fleet.ErrMoved
		}
		e.texts = fleet.Texts{Series: cmp.Or(next.Series, e.texts.Series), Lasting: cmp.Or(next.Lasting, e.texts.Lasting)}
		id = e.add(event)
		e.publish(fleet.Logged, id)
		return nil
	})
	return id, err
}

func (e *engine) Since(ctx context.Context, id string) (events []fleet.Event, complete bool, err error) {
	err = e.do(ctx, func() error {
		events = slices.Clone(e.log)
		for i, one := range e.log {
			if one.ID == id {
				events, complete = events[i+1:], true
				break
			}
		}
		return nil
	})
	return events, complete, err
}

func (e *engine) Moved() int64 { return e.counts.moved.Load() }

func (e *engine) Close() {}
