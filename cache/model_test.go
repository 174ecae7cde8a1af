package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A model runs a schedule: a sequence of actions on a cache, with each fill, preparation
// and recoding going on until an action ends it. The model knows the database's state and
// the reads that may still be served, and checks each answer against both.
type model struct {
	t      testing.TB
	choose func(n int) int // returns the schedule's next choice, from 0 to n-1
	c      *Cache
	log    []string

	// The database: the state of each scope, and how often any has changed.
	states map[string]int
	writes int
	down   bool
	seen   *fakeGeneration // the generation that the last poll returned

	mu       sync.Mutex // guards the fields that fills change
	step     int        // counts the actions
	reads    int        // begun so far; an answer carries the number of its read
	fills    []*modelFill
	recodes  []chan int
	results  []modelResult
	prepared []Warmed
	done     bool // the preparation has ended

	round     *modelRound // of the season, under way; nil if there is none
	preparing *fakeGeneration
	set       []string
	stop      context.CancelFunc // of the preparation

	// The numbers of the last read of each key before a hard and before a soft purge:
	// such reads must not be served any more, or not as hits.
	dropped, purged map[string]int
	// published holds the read of each key that was published last, unless a later read was
	// served then; served holds the read that was served last, and whether it was fresh.
	published, served map[string]int
	fresh             map[string]bool
}

// modelRound is a round of the season. Its fills may read the state of the database as it
// was at the start of the round.
type modelRound struct {
	read   int
	states map[string]int
	ctx    context.Context // of its fills
	stop   context.CancelFunc
	end    chan bool // whether it has reached all keys
}

type inRound struct{}

type modelFill struct {
	key   string
	step  int  // in which it began
	kept  bool // belongs to a round of the season
	read  int
	state int
	down  bool
	end   chan error
}

type modelResult struct {
	key             string
	dropped, purged int // when the request began
	reads           int
	immediate       bool
	entry           *Entry
	outcome         Outcome
	err             error
}

var (
	modelScopes = []string{"list", "team", "dated"}
	modelKeys   = []string{"list?0", "list?1", "team?0", "team?1", "team?none", "dated?0"}
)

func modelLane(key string) (Lane, string) {
	return map[string]Lane{"list": Heavy, "team": Quick, "dated": Costly}[scopeOf(key)], scopeOf(key)
}

func scopeOf(key string) string { scope, _, _ := strings.Cut(key, "?"); return scope }

func newModel(t testing.TB, choose func(int) int) *model {
	m := &model{t: t, choose: choose, states: map[string]int{"list": 5, "team": 5, "dated": 5}, dropped: map[string]int{}, purged: map[string]int{}, published: map[string]int{}}
	m.start(nil)
	return m
}

// start makes a new cache that adopts the entries of an earlier cache.
func (m *model) start(saved []Saved) {
	opts := Options{
		Fill: m.fill, Recode: m.recode, Absent: func(c *Content) bool { return c.Status != 200 },
		IsDown:         func(err error) bool { return errors.Is(err, errDown) },
		FillsWhileDown: func(key string) bool { return scopeOf(key) == "list" },
		Bytes:          []int64{1 << 20, 40 << 10}[m.choose(2)], Season: m.choose(2) == 0, Fills: 64, Lane: modelLane, FillTimeout: time.Hour, WaitTimeout: time.Hour,
	}
	c, err := New(opts)
	if err != nil {
		m.t.Fatal(err)
	}
	m.c = c
	m.served, m.fresh = map[string]int{}, map[string]bool{}
	if m.down {
		c.outage.Down(errDown)
	}
	c.Adopt(saved)
	if m.seen = nil; !m.down {
		m.poll()
	}
}

// fill is the cache's Fill: it reads the state of the database when it begins, or
// during an outage another source, and returns when the schedule ends it.
func (m *model) fill(ctx context.Context, key string) (Content, error) {
	m.mu.Lock()
	f := &modelFill{key: key, step: m.step, state: m.states[scopeOf(key)], down: m.down, end: make(chan error)}
	if round, _ := ctx.Value(inRound{}).(*modelRound); round != nil {
		f.kept, f.read, f.state = true, round.read, []int{f.state, round.states[scopeOf(key)]}[m.choose(2)]
	} else {
		f.read = m.number(key)
	}
	m.fills = append(m.fills, f)
	m.mu.Unlock()
	select {
	case <-ctx.Done():
		m.mu.Lock()
		defer m.mu.Unlock()
		m.fills = slices.DeleteFunc(m.fills, func(g *modelFill) bool { return g == f })
		return Content{}, ctx.Err()
	case err := <-f.end:
		if err == errPanic {
			panic(err)
		}
		if err != nil {
			return Content{}, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	label := strconv.Itoa(f.state)
	if f.down || m.down { // another source, which may lag behind; its answer is labelled with the last poll's generation
		f.state--
		label = "unknown"
		if m.seen != nil {
			label = m.seen.state(scopeOf(key))
		}
	}
	status := 200
	if strings.HasSuffix(key, "none") {
		status = 404
	}
	size := []int{10, 900, 4000}[(f.read+len(key))%3]
	return Content{Status: status, Size: size, Scope: scopeOf(key), Generation: label,
		Variants: []Variant{{Body: zeros[:size:size], ETag: fmt.Appendf(nil, "%d/%d", f.state, f.read)}}}, nil
}

// number returns the number of a read of key that begins now. Reads of one key that begin in
// the same action, because a warm set names the key twice, have one number: the order in
// which the cache began them is unknown. The caller holds mu.
func (m *model) number(key string) int {
	for _, f := range m.fills {
		if f.key == key && f.step == m.step && !f.kept {
			return f.read
		}
	}
	m.reads++
	return m.reads
}

// recode is the cache's Recode: it returns when the schedule ends it.
func (m *model) recode(e *Entry) []Variant {
	size := make(chan int)
	m.mu.Lock()
	m.recodes = append(m.recodes, size)
	m.mu.Unlock()
	n := <-size
	if n == 0 {
		return nil
	}
	return []Variant{{ETag: e.Variants[0].ETag}, {Coding: "br", Body: zeros[:n:n]}}
}

// describe returns the state and the number of the read that an entry comes from.
func describe(e *Entry) (state, read int) {
	a, b, _ := strings.Cut(string(e.Variants[0].ETag), "/")
	state, _ = strconv.Atoi(a)
	read, _ = strconv.Atoi(b)
	return state, read
}

func (m *model) note(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

func (m *model) wrong(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\nafter:\n  %s", fmt.Sprintf(format, args...), strings.Join(m.log, "\n  "))
}

// generation returns the present state of the database.
func (m *model) generation() *fakeGeneration {
	g := &fakeGeneration{id: strconv.Itoa(m.writes), of: map[string]string{}}
	for scope, state := range m.states {
		g.of[scope] = strconv.Itoa(state)
	}
	return g
}

// poll polls the database, if it is up.
func (m *model) poll() {
	if m.down {
		return
	}
	m.seen = m.generation()
	m.c.outage.Up()
	if g, _ := m.c.Published(); g == nil {
		m.c.PublishFirst(*m.seen)
	}
}

// request requests a key in its own goroutine.
func (m *model) request(key string) {
	m.mu.Lock()
	r := modelResult{key: key, dropped: m.dropped[key], purged: m.purged[key], reads: m.reads}
	m.mu.Unlock()
	asked := make(chan struct{})
	go func() {
		r.entry, r.outcome, r.err = m.c.Get(&Ref{Key: key})
		select {
		case <-asked:
		default:
			r.immediate = true
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.results = append(m.results, r)
	}()
	synctest.Wait()
	close(asked)
}

// key and match choose the key, or the keys, that an action concerns.
func (m *model) key() string { return modelKeys[m.choose(len(modelKeys))] }

func (m *model) match() (func(key string) bool, string) {
	switch key := m.key(); m.choose(3) {
	case 0:
		return func(k string) bool { return k == key }, key
	case 1:
		return func(k string) bool { return scopeOf(k) == scopeOf(key) }, scopeOf(key)
	}
	return func(string) bool { return true }, "all"
}

// modelActions are the steps of a schedule. Each reports whether it was possible.
var modelActions = []struct {
	name string
	do   func(*model) bool
}{
	{"request", func(m *model) bool { key := m.key(); m.note("  %s", key); m.request(key); return true }},
	{"requests", func(m *model) bool {
		key := m.key()
		m.note("  %s", key)
		for range 2 * promoteAfter {
			m.request(key)
		}
		return true
	}},
	{"end a fill", func(m *model) bool { return m.endFill(nil) }},
	{"end a fill", func(m *model) bool { return m.endFill(nil) }},
	{"end a fill", func(m *model) bool { return m.endFill(nil) }},
	{"fail a fill", func(m *model) bool {
		return m.endFill([]error{errFails, errPanic, errDown}[m.choose(3)])
	}},
	{"write", func(m *model) bool {
		scope := modelScopes[m.choose(2)]
		m.states[scope]++
		m.writes++
		m.note("  %s is %d", scope, m.states[scope])
		return true
	}},
	{"poll", func(m *model) bool { m.poll(); return !m.down }},
	{"go down", func(m *model) bool {
		m.down = true
		m.c.outage.Down(errDown)
		return true
	}},
	{"come back", func(m *model) bool {
		m.down = false
		m.poll()
		return true
	}},
	{"prepare", (*model).prepare},
	{"publish", (*model).publish},
	{"keep", (*model).keep},
	{"purge", func(m *model) bool { return m.purge(false) }},
	{"purge hard", func(m *model) bool { return m.purge(true) }},
	{"wait", func(m *model) bool {
		d := []time.Duration{time.Second, retryAfter, time.Minute}[m.choose(3)]
		m.note("  %v", d)
		time.Sleep(d)
		return true
	}},
	{"recode", func(m *model) bool {
		if len(m.recodes) == 0 {
			return false
		}
		next := m.recodes[0]
		m.recodes = m.recodes[1:]
		next <- []int{0, 1, 300, 12000}[m.choose(4)]
		return true
	}},
	{"restart", (*model).restart},
}

func (m *model) endFill(err error) bool {
	m.mu.Lock()
	if len(m.fills) == 0 {
		m.mu.Unlock()
		return false
	}
	i := m.choose(len(m.fills))
	f := m.fills[i]
	m.fills = slices.Delete(m.fills, i, i+1)
	m.mu.Unlock()
	m.note("  %s, read %d of state %d: %v", f.key, f.read, f.state, err)
	f.end <- err
	synctest.Wait() // wait until the fill has read the state, which later actions change
	return true
}

func (m *model) prepare() bool {
	if m.preparing != nil || m.seen == nil || m.down {
		return false
	}
	m.preparing, m.done, m.set = m.seen, false, nil
	for i, key := range modelKeys {
		if m.choose(4) > 0 {
			m.set = append(m.set, modelKeys[(i+len(key))%len(modelKeys)])
		}
	}
	m.note("  generation %s: %v", m.preparing.id, m.set)
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	go func() {
		set := m.c.Prepare(ctx, *m.preparing, m.set, func(Warmed) {})
		m.mu.Lock()
		defer m.mu.Unlock()
		m.prepared, m.done = set, true
	}()
	return true
}

// publish publishes the preparation, or drops it.
func (m *model) publish() bool {
	if m.preparing == nil || !m.done {
		return false
	}
	defer func() { m.preparing = nil }()
	m.stop()
	if m.choose(4) == 0 {
		m.note("  given up")
		return true
	}
	floors := map[string]int{}
	for _, w := range m.prepared {
		if w.Err == nil {
			_, floors[w.Key] = describe(w.Entry)
		}
	}
	m.c.Publish(*m.preparing, m.set)
	for key, read := range floors {
		s := m.c.sight(key)
		if s.Entry == nil {
			continue
		}
		_, now := describe(s.Entry)
		if now <= read { // otherwise a later read has won during an outage
			m.published[key] = max(m.published[key], read)
		}
		if now == read && s.Outcome != Hit && read > max(m.purged[key], m.dropped[key]) && m.c.outage.Now() == nil {
			m.wrong("%s is a %s after its publish", key, s.Outcome)
		}
	}
	return true
}

// keep continues a round of the season, or begins another.
func (m *model) keep() bool {
	c := m.c
	if m.round == nil || m.choose(4) == 0 {
		m.endRound(m.choose(2) == 0)
		m.reads++
		r := &modelRound{m.reads, maps.Clone(m.states), nil, nil, make(chan bool)}
		r.ctx, r.stop = context.WithCancel(context.WithValue(context.Background(), inRound{}, r))
		m.round = r
		go c.Season(func() bool { return <-r.end })
		synctest.Wait()
	}
	key, ctx := m.key(), m.round.ctx
	m.note("  %s", key)
	go c.Keep(ctx, key)
	synctest.Wait()
	return true
}

// endRound ends the round under way, if there is one.
func (m *model) endRound(complete bool) {
	if m.round == nil {
		return
	}
	m.round.stop()
	synctest.Wait()
	m.round.end <- complete
	synctest.Wait()
	m.round = nil
}

func (m *model) purge(hard bool) bool {
	match, name := m.match()
	m.note("  %s", name)
	m.c.Purge(func(e *Entry) bool { return match(e.Key) }, hard)
	floors := m.purged
	if hard {
		floors = m.dropped
	}
	for _, key := range modelKeys {
		if match(key) {
			floors[key] = m.reads
			if s := m.c.sight(key); hard && s.Entry != nil {
				m.wrong("%s is there after a hard purge", key)
			}
		}
	}
	return true
}

// restart closes the cache and makes a new cache that adopts its entries.
func (m *model) restart() bool {
	if m.choose(4) > 0 { // a new cache takes most of a schedule's time
		return false
	}
	saved := m.c.Export()
	m.end()
	m.start(saved)
	return true
}

// end ends the cache and all fills, preparations and recodings.
func (m *model) end() {
	if m.preparing != nil {
		m.stop()
		m.preparing = nil
	}
	m.endRound(false)
	for {
		m.mu.Lock()
		recodes := m.recodes
		m.recodes = nil
		m.mu.Unlock()
		if len(recodes) == 0 {
			break
		}
		for _, r := range recodes {
			r <- 0
		}
		synctest.Wait()
	}
	m.c.Close()
	synctest.Wait()
	m.c.shelves.Close()
	m.results = nil
}

// check checks the answers since the last call and the consistency of the bookkeeping.
func (m *model) check() {
	synctest.Wait()
	m.mu.Lock()
	m.step++
	results := m.results
	m.results = nil
	m.mu.Unlock()
	for _, r := range results {
		if r.err == nil {
			m.checkAnswer(r)
			state, read := describe(r.entry)
			m.note("    %s: %s of state %d by read %d", r.key, r.outcome, state, read)
		}
	}
	for _, key := range modelKeys { // peek: the answer that a request would get
		if f := m.c.find(&Ref{Key: key}); f.version != nil {
			m.checkAnswer(modelResult{key: key, dropped: m.dropped[key], purged: m.purged[key], immediate: true, entry: &f.version.Entry, outcome: f.outcome})
			m.checkOrder(key, &f.version.Entry, f.now.Fresh(f.version))
		} else {
			delete(m.served, key) // it has left the cache
			delete(m.published, key)
		}
	}
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	if err := m.c.consistent(); err != nil {
		m.wrong("%v", err)
	}
}

func (m *model) checkAnswer(r modelResult) {
	state, read := describe(r.entry)
	if r.entry.Key != r.key || r.entry.Incomplete() != nil {
		m.wrong("%s: an entry of %s: %v", r.key, r.entry.Key, r.entry.Incomplete())
	}
	if read <= r.dropped {
		m.wrong("%s: %s by read %d, which was dropped with those up to %d", r.key, r.outcome, read, r.dropped)
	}
	if !r.immediate {
		return
	}
	if read <= r.purged && r.outcome == Hit {
		m.wrong("%s: a hit by read %d, which was purged with those up to %d", r.key, read, r.purged)
	}
	if r.outcome == Hit && !m.down && m.c.outage.Now() == nil {
		if g, _ := m.c.Published(); g.(fakeGeneration).of[scopeOf(r.key)] != strconv.Itoa(state) {
			m.wrong("%s: a hit of state %d, published is %s", r.key, state, g.(fakeGeneration).of[scopeOf(r.key)])
		}
	}
	if floor := m.published[r.key]; read < floor {
		m.wrong("%s: %s by read %d, read %d was published", r.key, r.outcome, read, floor)
	}
}

// checkOrder checks that the served version is not replaced by an earlier read, unless
// the earlier read is fresh in the current generation and the later one was not.
func (m *model) checkOrder(key string, e *Entry, fresh bool) {
	_, read := describe(e)
	if last := m.served[key]; read < last && (m.fresh[key] || !fresh) {
		m.wrong("%s: read %d after read %d, fresh: %t after %t", key, read, last, fresh, m.fresh[key])
	}
	m.served[key], m.fresh[key] = read, fresh
}

// settle ends all actions successfully, and checks that each key becomes a hit with
// the database's current state.
func (m *model) settle() {
	m.down = false
	m.poll()
	fill := func() {
		for synctest.Wait(); len(m.fills) > 0; m.check() {
			m.endFill(nil)
		}
	}
	fill()
	for m.preparing != nil && !m.done {
		fill()
	}
	m.preparing = nil
	m.c.Publish(*m.seen, nil)
	m.check()
	time.Sleep(retryAfter)
	for _, key := range modelKeys {
		var s Sight
		for range 4 {
			m.request(key)
			fill()
			m.check()
			if s = m.c.sight(key); s.Outcome == Hit {
				break
			}
		}
		if s.Entry == nil { // a small cache may refuse it
			continue
		}
		if state, _ := describe(s.Entry); s.Outcome != Hit || state != m.states[scopeOf(key)] {
			m.wrong("%s: %s of state %d in the end, want a hit of %d", key, s.Outcome, state, m.states[scopeOf(key)])
		}
	}
}

// runModel runs a schedule of at most the given number of actions.
func runModel(t testing.TB, actions int, choose func(int) int) {
	m := newModel(t, choose)
	defer m.end()
	for range actions {
		a := modelActions[choose(len(modelActions))]
		m.note("%s", a.name)
		if a.do(m) {
			m.check()
		}
	}
	m.settle()
}

// TestModel runs random schedules: about a thousand a second for each processor.
func TestModel(t *testing.T) {
	schedules := 1000
	if testing.Short() || raceEnabled {
		schedules = 200
	}
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		t.Run(strconv.Itoa(worker), func(t *testing.T) {
			t.Parallel()
			start, done := time.Now(), 0
			for seed := worker; seed < schedules && !t.Failed(); seed += workers {
				synctest.Test(t, func(t *testing.T) {
					random := rand.New(rand.NewPCG(uint64(seed), 1))
					runModel(t, 60, random.IntN)
				})
				done++
			}
			t.Logf("%.0f schedules of 60 actions in a second", float64(done)/time.Since(start).Seconds())
		})
	}
}

// FuzzModel runs schedules that the fuzzer generates.
func FuzzModel(f *testing.F) {
	for seed := range 8 {
		random := rand.New(rand.NewPCG(uint64(seed), 2))
		schedule := make([]byte, 200)
		for i := range schedule {
			schedule[i] = byte(random.IntN(256))
		}
		f.Add(schedule)
	}
	f.Fuzz(func(t *testing.T, schedule []byte) {
		if len(schedule) > 1000 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			left := schedule
			runModel(t, len(schedule)/2, func(n int) int {
				if len(left) == 0 {
					return 0
				}
				b := left[0]
				left = left[1:]
				return int(b) % n
			})
		})
	})
}
