// Package oldapi is an HTTP server that behaves as the old API does: FastAPI
// behind uvicorn with one worker, on a real socket. It answers the recorded
// answers and what the proxy leaves to the old API, and misbehaves when told to.
//
//	old := oldapi.Start(t, oldapi.Options{})    // closed when the test ends
//	old.Next(2, oldapi.DieInLength)             // so the next two requests
//	http.Get(old.URL() + "/teams/?season_year=2025")
//	old.Count("GET", "/teams/")                 // requests that were handled
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
)

// Options change how a Server behaves; the zero value is uvicorn with one worker
// on a free port of this machine.
type Options struct {
	Addr    string        // to listen on; empty means 127.0.0.1:0
	Idle    time.Duration // after which an unused connection is closed; zero means 5 s
	Workers int           // requests handled at once; zero means 1
	// Key makes the spellings of a request target one that have the same
	// recorded answer; nil means by path and sorted parameters.
	Key func(target string) string
}

// Request is one that was handled.
type Request struct {
	Method, Target string // the target as it came
	Host           string
	Header         http.Header
	Body           string
	Conn           int // which of the connections brought it, from 1
}

// Server is a running old API. Its methods are safe for concurrent use.
type Server struct {
	opts     Options
	listener net.Listener
	answers  map[string]storetest.Recorded // by key
	paths    map[string]bool               // of all routes that take GET
	workers  chan struct{}
	done     chan struct{} // closed by Close
	running  sync.WaitGroup

	mu       sync.Mutex
	delay    time.Duration
	faults   []Fault // of the next requests
	requests []Request
	hungUp   int
	conns    map[net.Conn]struct{}
	opened   int
	posts    map[string][]time.Time // feedback, by address
}

// recorded are the answers of all servers of the process: reading them takes a
// second where the race detector looks on.
var recorded = sync.OnceValues(storetest.Answers)

// New starts a server.
func New(opts Options) (*Server, error) {
	if opts.Addr == "" {
		opts.Addr = "127.0.0.1:0"
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
		conns: map[net.Conn]struct{}{}, posts: map[string][]time.Time{},
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

// sorted is the path with the last value of each parameter, by name.
func sorted(target string) string {
	path, query, _ := strings.Cut(target, "?")
	values, _ := url.ParseQuery(query)
	for name, all := range values {
		values[name] = all[len(all)-1:]
	}
	return path + "?" + values.Encode()
}

// URL is that of the root, without a final slash.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Close closes the listener and all connections, and waits for what they do. It
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

// Next lets the next n requests go wrong.
func (s *Server) Next(n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, slices.Repeat([]Fault{f}, n)...)
}

// Behave takes back what Next asked for and SetDelay.
func (s *Server) Behave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.delay = nil, 0
}

// SetDelay lets every request take so long, and its worker with it.
func (s *Server) SetDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// Requests returns those that were read so far, in the order of their coming.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Count returns how many requests of a method and path were read; empty stands
// for any.
func (s *Server) Count(method, path string) (n int) {
	for _, r := range s.Requests() {
		p, _, _ := strings.Cut(r.Target, "?")
		if (method == "" || r.Method == method) && (path == "" || p == path) {
			n++
		}
	}
	return n
}

// Conns returns how many connections were opened so far, and how many of them
// were closed as a request came (see HangUp).
func (s *Server) Conns() (opened, hungUp int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened, s.hungUp
}
