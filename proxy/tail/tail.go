// Package tail passes answered requests on to listening operators, as lines of JSON.
package tail

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

const (
	// maxListeners limits the listeners of a Hub.
	maxListeners = 8
	// queued limits the requests that wait for a listener that reads slowly.
	queued = 1024
	// heartbeat is the longest time without a line: an empty line shows whether the
	// listener is still there.
	heartbeat = 5 * time.Second
	// batch limits the lines of one read, in bytes.
	batch = 32 << 10
)

// ErrFull is the error of Listen while a Hub has eight listeners.
var ErrFull = errors.New("too many clients listen already")

// errClosed is the error of Listen after Close.
var errClosed = errors.New("the proxy is stopping")

// Hub passes requests on to its listeners. It is safe for concurrent use.
type Hub struct {
	// watch is called for the first listener, and its result after the last.
	watch func() (stop func())

	mu        sync.Mutex
	listeners map[*Listener]struct{}
	stop      func()
	closed    bool
}

// New returns a Hub. It calls watch before it needs requests, and the returned function
// when it needs them no more.
func New(watch func() (stop func())) *Hub {
	return &Hub{watch: watch, listeners: map[*Listener]struct{}{}}
}

// Add passes a request on to the listeners whose filter it passes. It never waits for a
// listener. r must not be changed afterwards.
func (h *Hub) Add(r *api.Request) {
	if r.Admin {
		return // the pages of operators are no requests of visitors
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range h.listeners {
		if !l.filter.passes(r) {
			continue
		}
		select {
		case l.requests <- r:
		default:
			l.dropped.Add(1)
		}
	}
}

// Listen returns a new listener, which the caller closes.
func (h *Hub) Listen(f Filter) (*Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, errClosed
	case len(h.listeners) == maxListeners:
		return nil, ErrFull
	case len(h.listeners) == 0:
		h.stop = h.watch()
	}
	l := &Listener{hub: h, filter: f, requests: make(chan *api.Request, queued), ended: make(chan struct{})}
	h.listeners[l] = struct{}{}
	return l, nil
}

// Close ends all listeners. There are no more afterwards.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for l := range h.listeners {
		h.remove(l)
	}
}

// remove ends a listener. The caller holds mu.
func (h *Hub) remove(l *Listener) {
	if _, listens := h.listeners[l]; !listens {
		return
	}
	delete(h.listeners, l)
	close(l.ended)
	if len(h.listeners) == 0 {
		h.stop()
	}
}

// Listener reads lines of JSON: an api.Request each, an api.TailLost after requests for
// which it was too slow, or an empty line. Read and Close are for one goroutine.
type Listener struct {
	hub      *Hub
	filter   Filter
	requests chan *api.Request
	dropped  atomic.Int64
	ended    chan struct{} // closed by remove
	lines    bytes.Buffer  // not read yet
}

// Read returns lines, or parts of them. It waits for requests, and returns io.EOF after
// the Hub was closed.
func (l *Listener) Read(b []byte) (int, error) {
	if l.lines.Len() == 0 {
		if err := l.await(); err != nil {
			return 0, err
		}
	}
	return l.lines.Read(b)
}

// await waits for a request, and takes all further requests that wait.
func (l *Listener) await() error {
	l.lines.Reset()
	idle := time.NewTimer(heartbeat)
	defer idle.Stop()
	select {
	case r := <-l.requests:
		l.write(r)
	case <-idle.C:
		l.lines.WriteByte('\n')
	case <-l.ended:
		return io.EOF
	}
	for l.lines.Len() < batch {
		select {
		case r := <-l.requests:
			l.write(r)
			continue
		default:
		}
		break
	}
	if n := l.dropped.Swap(0); n > 0 {
		l.write(api.TailLost{Lost: n})
	}
	return nil
}

func (l *Listener) write(v any) {
	enc := json.NewEncoder(&l.lines)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // numbers and strings
	}
}

// Close ends the listener.
func (l *Listener) Close() error {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	l.hub.remove(l)
	return nil
}
