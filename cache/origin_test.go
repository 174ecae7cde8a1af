package cache

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/lewistv/xcri-proxy/cache/reads"
	"github.com/lewistv/xcri-proxy/cache/shelf"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

var (
	errFails = errors.New("the origin fails")
	errDown  = errors.New("the origin does not answer")
	errPanic = errors.New("the origin panics")
)

// fakeGeneration holds the state of each scope. The state of a scope that it does not
// list is the generation itself; dated answers never change.
type fakeGeneration struct {
	id string
	of map[string]string
}

func (g fakeGeneration) ID() string { return g.id }

func (g fakeGeneration) Holds(e *Entry) bool { return e.Generation == g.state(e.Scope) }

func (g fakeGeneration) state(scope string) string {
	switch state, named := g.of[scope]; {
	case named:
		return state
	case scope == "dated":
		return "0"
	}
	return g.id
}

// fakeOrigin answers each fill with an entry of its generation at the fill's start.
// The entry's ETag is the number of the fill. The fields below change its behaviour.
type fakeOrigin struct {
	early  bool          // the cache has no generation before the test publishes one
	gate   chan struct{} // unless nil, each fill first receives from it
	deaf   bool          // fills ignore their deadline at the gate
	script []error       // errors of the next fills, in order; nil afterwards
	size   int           // of the bodies, in bytes
	shape  func(*Entry)  // changes an answer

	calls, now, most atomic.Int64
	mu               sync.Mutex // guards script and data
	data             fakeGeneration
}

// moveTo starts another generation, in which only the kept scopes are unchanged, and
// returns it.
func (o *fakeOrigin) moveTo(id string, kept ...string) fakeGeneration {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := fakeGeneration{id, map[string]string{}}
	for _, scope := range kept {
		next.of[scope] = o.data.state(scope)
	}
	o.data = next
	return next
}

func (o *fakeOrigin) generation() fakeGeneration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data
}

func (o *fakeOrigin) fill(ctx context.Context, key string) (Content, error) {
	call, data := o.calls.Add(1), o.generation()
	now := o.now.Add(1)
	defer o.now.Add(-1)
	for most := o.most.Load(); now > most && !o.most.CompareAndSwap(most, now); most = o.most.Load() {
	}
	if err := o.pass(ctx); err != nil {
		return Content{}, err
	}
	switch err := o.next(); err {
	case nil:
	case errPanic:
		panic(err)
	default:
		return Content{}, err
	}
	e := answer(key, o.size)
	e.Generation = data.state(e.Scope)
	e.Variants[0].ETag = strconv.AppendInt(nil, call, 10)
	if o.shape != nil {
		o.shape(e)
	}
	return e.Content, nil
}

// pass waits at the gate.
func (o *fakeOrigin) pass(ctx context.Context) error {
	if o.gate == nil {
		return nil
	}
	if o.deaf {
		ctx = context.Background()
	}
	select {
	case <-o.gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o *fakeOrigin) next() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.script) == 0 {
		return nil
	}
	err := o.script[0]
	o.script = o.script[1:]
	return err
}

// Limits of package shelf that the tests approach from both sides.
const (
	promoteAfter  = shelf.PromoteAfter
	displaceAfter = 64 // requests of an entry that displaces others from the hot shelf
	largestShare  = 4  // of a shelf, for one entry
)

// zeros is the body of all answers; sharing it keeps tests with large answers small.
var zeros = make([]byte, 4<<20)

// answer returns an entry of the first generation. Its scope is the kind of key.
func answer(key string, size int) *Entry {
	scope, _, _ := strings.Cut(key, "?")
	return &Entry{Key: key, Content: Content{Status: 200, Size: size, Scope: scope, Generation: "1",
		Variants: []Variant{{Body: zeros[:size:size], ETag: []byte("0")}}}}
}

// newCache returns a cache on o that is closed, with all its goroutines, when the test
// ends. Its generation is the generation of o, "1".
func newCache(t testing.TB, o *fakeOrigin, opts Options) *Cache {
	t.Helper()
	opts.Fill = o.fill
	opts.Absent = func(c *Content) bool { return c.Status != 200 }
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if o.moveTo("1"); !o.early {
		c.Publish(o.generation(), nil)
	}
	t.Cleanup(func() {
		c.Close()
		c.shelves.Close()
	})
	return c
}

// bubble runs a test under testing/synctest, which also fails if a goroutine outlives
// the cache.
func bubble(t *testing.T, o *fakeOrigin, opts Options, test func(*testing.T, *Cache)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if o.gate != nil { // a channel from outside the bubble would not stop the clock
			o.gate = make(chan struct{})
		}
		test(t, newCache(t, o, opts))
	})
}

// gated marks an origin whose fills wait for the test.
var gated = make(chan struct{})

// get requests key and checks the outcome and the number of the fill.
func get(t testing.TB, c *Cache, key string, want Outcome, fill string) *Entry {
	t.Helper()
	e, outcome, err := c.lookup(key)
	if outcome != want || err != nil || e == nil {
		t.Errorf("Get(%s): %s and error %v, want %s", key, outcome, err, want)
		return &Entry{}
	}
	if got := string(e.Variants[0].ETag); e.Key != key || got != fill {
		t.Errorf("Get(%s): %s of fill %s, want fill %s", key, e.Key, got, fill)
	}
	return e
}

// publish prepares and publishes a generation with its warm set.
func publish(t testing.TB, c *Cache, g Generation, keys ...string) {
	t.Helper()
	set := c.Prepare(t.Context(), g, keys, func(Warmed) {})
	for _, w := range set {
		if w.Err != nil || w.Entry == nil {
			t.Errorf("%s: %v", w.Key, w.Err)
		}
	}
	c.Publish(g, keys)
}

// where checks which shelf holds a key.
func where(t testing.TB, c *Cache, key, want string) {
	t.Helper()
	if got := c.sight(key).Where; got != want {
		t.Errorf("%s is in %q, want %q", key, got, want)
	}
}

// fails requests key and checks the error.
func fails(t testing.TB, c *Cache, key string, want error) {
	t.Helper()
	if e, outcome, err := c.lookup(key); e != nil || outcome != Error || !errors.Is(err, want) {
		t.Errorf("Get(%s): %v, %s and error %v, want the error %v", key, e, outcome, err, want)
	}
}

// calls checks the number of fills.
func calls(t testing.TB, o *fakeOrigin, want int64) {
	t.Helper()
	if got := o.calls.Load(); got != want {
		t.Errorf("%d fills, want %d", got, want)
	}
}

// key returns the name of the nth answer of a kind.
func key(kind string, n int) string { return kind + "?" + strconv.Itoa(n) }

// keys returns the names of the first n answers of a kind.
func keys(kind string, n int) (all []string) {
	for i := range n {
		all = append(all, key(kind, i))
	}
	return all
}

// lookup requests a key with a new ref.
func (c *Cache) lookup(key string) (*Entry, Outcome, error) { return c.Get(&Ref{Key: key}) }

// sight peeks at a key with a new ref.
func (c *Cache) sight(key string) Sight { return c.Peek(&Ref{Key: key}) }

// storeEntry stores an entry as a fill that begins now does.
func (c *Cache) storeEntry(e *Entry) {
	v := slot.NewVersion(e, c.begin(false))
	c.store(v)
	c.end(v.Read)
}

// version returns the version that is served for a key.
func (c *Cache) version(key string) *slot.Version { return c.find(&Ref{Key: key}).version }

// entries returns the number of slots on a shelf.
func (c *Cache) entries(at shelf.Place) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.shelves.Items(at)))
}

// reading reports whether a read is under way, for which a purge would be remembered. Its own
// purge changes no entry.
func (c *Cache) reading() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads.Purge(everything, false)
	_, soft := c.reads.Purged(reads.Moment{}, &Entry{})
	return soft
}

// keysOf returns the keys of a prepared warm set.
func keysOf(set []Warmed) (keys []string) {
	for _, w := range set {
		keys = append(keys, w.Key)
	}
	return keys
}

// saved returns an entry as it is kept between two runs.
func saved(e *Entry, warm, purged bool) Saved {
	return Saved{Key: e.Key, Content: e.Content, Filled: e.Filled, Took: e.Took, Warm: warm, Purged: purged}
}
