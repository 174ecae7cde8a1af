// Package share limits how much work for the database one client has queued or running
// at a time.
package share

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
)

// ErrFull is the error of a request whose client already waits for as many fills as the
// limits allow.
var ErrFull = errors.New("the client has its share of loads already")

// Limits are the most requests of one client that may wait for fills at a time, and the
// most different answers that they may wait for, by lane. Zero means no limit. The lane
// Idle has none, because no request begins an Idle fill.
type Limits struct {
	Requests int
	Fills    [cache.Lanes]int
}

// Default is generous: 200 visitors behind one address who open different pages, none of
// which is cached, stay below it, and a client that exceeds it can't fill more than its
// part of the queue.
var Default = Limits{Requests: 2000, Fills: [cache.Lanes]int{cache.Quick: 512, cache.Heavy: 64, cache.Costly: 16}}

// Shares counts the waits of clients. It is safe for concurrent use. It holds only
// clients that wait, so that connections bound its memory.
type Shares struct {
	limits  Limits
	refused [cache.Lanes + 1]atomic.Int64

	mu      sync.Mutex
	clients map[netip.Prefix]*client
	last    Refusal
}

// Refusal describes the last refusals, which are of one client.
type Refusal struct {
	Client netip.Prefix
	At     time.Time // zero for never
	Count  int64     // of refusals in a row, without another client's between them
}

// client is a client with requests that wait.
type client struct {
	requests int
	fills    [cache.Lanes]int
	keys     map[string]int // number of its requests that wait for each
}

// New returns Shares within limits.
func New(limits Limits) *Shares {
	return &Shares{limits: limits, clients: map[netip.Prefix]*client{}}
}

// Of returns the client that an address belongs to: a network of /64 shares one IPv6
// client, because a single host chooses freely among its addresses.
func Of(address netip.Addr) netip.Prefix {
	bits := 32
	if address.Is6() {
		bits = 64
	}
	p, _ := address.Prefix(bits) // an error means that the address is invalid
	return p
}

// Enter begins the wait of a client for the fill of a key, unless the client has its share
// of waits already. If it returns true, Leave must follow.
func (s *Shares) Enter(of netip.Prefix, lane cache.Lane, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[of]
	if c == nil {
		c = &client{keys: map[string]int{}}
	}
	switch most := s.limits.Fills[lane]; {
	case s.limits.Requests > 0 && c.requests >= s.limits.Requests:
		s.refuse(of, int(cache.Lanes))
		return false
	case most > 0 && c.keys[key] == 0 && c.fills[lane] >= most:
		s.refuse(of, int(lane))
		return false
	}
	s.clients[of] = c
	c.requests++
	if c.keys[key]++; c.keys[key] == 1 {
		c.fills[lane]++
	}
	return true
}

// refuse counts a refusal. The caller holds mu.
func (s *Shares) refuse(of netip.Prefix, limit int) {
	s.refused[limit].Add(1)
	if s.last.Client != of {
		s.last = Refusal{Client: of}
	}
	s.last.At = time.Now()
	s.last.Count++
}

// Busiest returns the client with the most requests that wait now, and their number; the
// zero Prefix if none waits.
func (s *Shares) Busiest() (of netip.Prefix, requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for prefix, c := range s.clients {
		if c.requests > requests || c.requests == requests && prefix.String() < of.String() {
			of, requests = prefix, c.requests
		}
	}
	return of, requests
}

// Last returns the latest refusal.
func (s *Shares) Last() Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Leave ends a wait.
func (s *Shares) Leave(of netip.Prefix, lane cache.Lane, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[of]
	if c.keys[key]--; c.keys[key] == 0 {
		delete(c.keys, key)
		c.fills[lane]--
	}
	if c.requests--; c.requests == 0 {
		delete(s.clients, of)
	}
}

// Limits returns the limits by their names, which are the names in Refused. Zero means no
// limit.
func (s *Shares) Limits() map[string]int64 {
	by := map[string]int64{"requests": int64(s.limits.Requests)}
	for lane := range cache.Idle {
		by[lane.String()] = int64(s.limits.Fills[lane])
	}
	return by
}

// Refused returns the number of waits that were refused since the start, by the limit that
// refused them.
func (s *Shares) Refused() map[string]int64 {
	by := map[string]int64{"requests": s.refused[cache.Lanes].Load()}
	for lane := range cache.Idle {
		by[lane.String()] = s.refused[lane].Load()
	}
	return by
}
