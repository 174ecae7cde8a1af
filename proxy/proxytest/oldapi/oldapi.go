// Package oldapi is an HTTP server that simulates the old API: FastAPI behind uvicorn
// with one worker, on a real socket. It serves the recorded answers and the pages that
// the proxy forwards, and injects faults on request.
//
//	old := oldapi.Start(t, oldapi.Options{})    // closed when the test ends
//	old.Next(2, oldapi.DieInLength)             // breaks the next two answers
//	http.Get(old.URL() + "/teams/?season_year=2025")
//	old.Count("GET", "/teams/")                 // requests that were handled
//
// Options.Answer replaces the recorded answers, for a database that changes.
//
// A program without tests calls New and Close.
package oldapi

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

// Options configure a Server. The zero value is uvicorn with one worker on a free
// loopback port.
type Options struct {
	Addr    string        // listen address; empty means a free port of 127.0.0.1, see port.FreeAddress
	Idle    time.Duration // after which an unused connection is closed; zero means 5 s
	Workers int           // concurrent requests; zero means 1
	// Key returns the same key for all spellings of a request target with the same
	// recorded answer; nil means the path with sorted parameters.
	Key func(target string) string
	// Answer returns the answer to a GET; an answer without a status means the recorded
	// answer. Nil means the recorded answers.
	Answer func(target string) Answer
}

// Answer is an answer of the old API: a status and a JSON text.
type Answer struct {
	Status int
	Body   string
}

// Request is a handled request.
type Request struct {
	Method, Target string // the target as received
	Host           string
	Header         http.Header
	Body           string
	Conn           int // number of its connection, from 1
}

// Server is a running server. Its methods are safe for concurrent use.
type Server struct {
	opts     Options
	listener net.Listener
	answers  map[string]storetest.Recorded // by key
	paths    map[string]bool               // of all routes that accept GET
	workers  chan struct{}
	done     chan struct{} // closed by Close
	running  sync.WaitGroup
	state
}

// state is the part of a Server that changes.
type state struct {
	mu       sync.Mutex
	delay    time.Duration
	faults   []Fault // of the next requests
	requests []Request
	hungUp   int
	conns    map[net.Conn]struct{}
	opened   int
	posts    map[string][]time.Time // feedback, by address
}

// recorded holds the answers for all servers of the process: parsing them takes a
// second under the race detector.
var recorded = sync.OnceValues(storetest.Answers)

// New starts a server.
func New(opts Options) (*Server, error) {
	if opts.Addr == "" {
		addr, err := port.FreeAddress()
		if err != nil {
			return nil, err
		}
		opts.Addr = addr
	}
	if opts.Idle == 0 {
		opts.Idle = 5 * time.Second
	}
	if opts.Key == nil {
		opts.Key = sorted
	}
	s := &Server{
		opts: opts, answers: map[string]storetest.Recorded{}, paths: map[string]bool{},
		workers: make(chan struct{}, max(1, opts.Workers)), done: make(chan struct{}),
		state: state{conns: map[net.Conn]struct{}{}, posts: map[string][]time.Time{}},
	}
	all, err := recorded()
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		s.answers[opts.Key(r.Request)] = r
		path, _, _ := strings.Cut(r.Request, "?")
		s.paths[path] = s.paths[path] || r.Status == http.StatusOK
	}
	for path := range pages {
		s.paths[path] = true
	}
	if s.listener, err = net.Listen("tcp", opts.Addr); err != nil {
		return nil, err
	}
	s.running.Go(s.accept)
	return s, nil
}

// TB is the part of testing.TB that Start needs.
type TB interface {
	Helper()
	Fatal(...any)
	Cleanup(func())
}

// Start starts a server that is closed when the test ends.
func Start(t TB, opts Options) *Server {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// sorted returns the path with the last value of each parameter, sorted by name.
func sorted(target string) string {
	path, query, _ := strings.Cut(target, "?")
	values, _ := url.ParseQuery(query)
	for name, all := range values {
		values[name] = all[len(all)-1:]
	}
	return path + "?" + values.Encode()
}

// URL returns the URL of the root without a final slash.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Close closes the listener and all connections, and waits for their goroutines. It
// may be called twice.
func (s *Server) Close() {
	s.mu.Lock()
	select {
	case <-s.done:
	default:
		close(s.done)
	}
	s.listener.Close()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// Next injects a fault into each of the next n requests.
func (s *Server) Next(n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, slices.Repeat([]Fault{f}, n)...)
}

// Behave cancels the faults of Next and the delay of SetDelay.
func (s *Server) Behave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.delay = nil, 0
}

// SetDelay delays every answer by d, during which its worker is busy.
func (s *Server) SetDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// Requests returns the requests read so far, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Count returns the number of requests of a method and path; empty means any.
func (s *Server) Count(method, path string) (n int) {
	for _, r := range s.Requests() {
		p, _, _ := strings.Cut(r.Target, "?")
		if (method == "" || r.Method == method) && (path == "" || p == path) {
			n++
		}
	}
	return n
}

// Conns returns the number of connections opened so far, and of connections closed as
// a request arrived (see HangUp).
func (s *Server) Conns() (opened, hungUp int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened, s.hungUp
}
