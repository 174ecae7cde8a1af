package proxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/conformance"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
	databases "github.com/lewistv/xcri-proxy/store/storetest/scratch"
	"github.com/lewistv/xcri-proxy/store/storetest/stores"
)

func TestMain(m *testing.M) { os.Exit(databases.Main(m)) }

// realOptions returns the options of a proxy on a database with the sample data.
func realOptions(t testing.TB) Options {
	t.Helper()
	return Options{Origin: stores.Open(t, stores.Options(t)), BasePath: "/iz/xcri"}
}

// listen serves p on a free port until the test ends.
func listen(t testing.TB, p *Proxy) (base string) {
	t.Helper()
	ln := port.Held(t)
	served := make(chan error, 1)
	go func() { served <- p.Serve(ln) }()
	watching, stopWatch := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { p.Run(watching) })
	t.Cleanup(func() {
		stopWatch()
		watch.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(p.Shutdown(ctx), <-served); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return "http://" + ln.Addr().String()
}

// start serves a proxy that has published the generation and filled its warm set.
func start(t testing.TB, opts Options) (p *Proxy, base string) {
	t.Helper()
	if _, fake := opts.Origin.(*fakeOrigin); fake && opts.Generations.Pages == nil {
		opts.Generations.Pages = []string{} // its answers are the test's
	}
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	base = listen(t, p)
	awaitLook(t, p, p.generations.Poll(nil))
	return p, base
}

// awaitLook waits until the poll with a ticket has ended.
func awaitLook(t testing.TB, p *Proxy, ticket int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); p.generations.Status().Looked < ticket; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no look: %+v", p.generations.Status())
		}
	}
}

// fakeOrigin answers each question with its path, unless the test sets run.
type fakeOrigin struct {
	run        func(context.Context, store.Query) (store.Answer, error)
	ping       func() error
	generation func() (*store.Generation, error)
}

// Generation returns a generation without calculations unless the test sets another.
func (f *fakeOrigin) Generation(context.Context) (*store.Generation, error) {
	if f.generation != nil {
		return f.generation()
	}
	return &store.Generation{}, nil
}

func (f *fakeOrigin) Run(ctx context.Context, q store.Query) (store.Answer, error) {
	if f.run != nil {
		return f.run(ctx, q)
	}
	return store.Answer{Status: 200, Body: fmt.Appendf(nil, `{"path":"%s"}`, q.Path)}, nil
}

func (f *fakeOrigin) Ping(context.Context) error {
	if f.ping != nil {
		return f.ping()
	}
	return nil
}

func (*fakeOrigin) ScopeRows(context.Context, string) (map[store.Scope]store.Rows, error) {
	return nil, nil
}

func (*fakeOrigin) Stats() store.Stats { return store.Stats{} }

func TestRecordedAnswers(t *testing.T) {
	for _, prefix := range []string{"", "/iz/xcri/api"} {
		t.Run("below "+prefix, func(t *testing.T) {
			_, base := start(t, realOptions(t))
			conformance.Check(t, base+prefix)
		})
	}
}

func TestNewNeedsAnOrigin(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("no error without an origin")
	}
	if _, err := New(Options{Origin: &fakeOrigin{}, Cache: cache.Options{Bytes: 1 << 20}}); err != nil {
		t.Error(err)
	}
}

// keyOf returns the key of a target.
func keyOf(p *Proxy, target string) (string, error) {
	q, err := p.router.Resolve(target)
	return q.Key, err
}
