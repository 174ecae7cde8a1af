package proxy

import (
	"context"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/store"
)

// TestAlive holds that a proxy whose handler answers is alive, whether or not it is
// ready, and that a handler that hangs is noticed.
func TestAlive(t *testing.T) {
	p, err := New(Options{Origin: &fakeOrigin{generation: func() (*store.Generation, error) { return nil, store.ErrUnavailable }}})
	if err != nil {
		t.Fatal(err)
	}
	patient, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.Alive(patient); err != nil {
		t.Errorf("before the first poll: %v", err)
	}
	hangs, entered := make(chan struct{}), make(chan struct{})
	p.handler = func(*fasthttp.RequestCtx) { close(entered); <-hangs }
	short, end := context.WithCancel(t.Context())
	go func() { <-entered; end() }()
	if err := p.Alive(short); err == nil {
		t.Error("a handler that hangs counts as alive")
	}
	close(hangs)
	p.handler = p.handle
	if err := p.Alive(patient); err != nil {
		t.Errorf("after the hang: %v", err)
	}
}
