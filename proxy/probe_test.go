package proxy

import (
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/store"
)

func TestProbes(t *testing.T) {
	up := make(chan struct{})
	p, err := New(Options{Generations: generation.Options{Pages: []string{}}, Origin: &fakeOrigin{generation: func() (*store.Generation, error) {
		select {
		case <-up:
			return &store.Generation{}, nil
		default:
			return nil, store.ErrUnavailable
		}
	}}})
	if err != nil {
		t.Fatal(err)
	}
	base := listen(t, p)
	probe := func(when string, live, ready int) {
		t.Helper()
		if a := get(t, base, "/livez"); a.status != live {
			t.Errorf("%s: /livez %d", when, a.status)
		}
		if a := get(t, base, "/readyz"); a.status != ready {
			t.Errorf("%s: /readyz %d", when, a.status)
		}
	}
	awaitLook(t, p, p.generations.Poll(nil))
	probe("before the database was ever up", 200, 503)
	close(up)
	awaitLook(t, p, p.generations.Poll(nil))
	probe("with a warm set", 200, 200)
	p.outage.Down(store.ErrUnavailable)
	probe("with a warm set and no database", 200, 200)
	p.stopping.Store(true)
	probe("while it stops", 200, 503)
	if a := get(t, base, "/iz/xcri/api/livez"); a.status != 404 {
		t.Errorf("a probe through Apache: %d", a.status)
	}
}
