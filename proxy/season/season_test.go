package season

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// calculations are the state of the fake database: the number of the last calculation of
// each scope.
type calculations map[store.Scope]int64

func (c calculations) generation() *store.Generation {
	var all []store.Calculation
	for _, s := range slices.SortedFunc(maps.Keys(c), func(a, b store.Scope) int { return strings.Compare(a.String(), b.String()) }) {
		all = append(all, store.Calculation{Scope: s, ID: c[s]})
	}
	return store.NewGeneration(all...)
}

// world is a fake database with a fake cache and a walker.
type world struct {
	*Walker
	outage  *cache.Outage
	routes  *route.Router
	blocked chan struct{} // see start

	mu        sync.Mutex
	state     calculations
	published *store.Generation
	entries   map[string]*cache.Entry
	kept      map[string]bool // in the round under way
	room      int64           // bytes of entries
	asked     []string        // keys, in the order of their fills
	listed    []string        // genders whose subjects were listed
	fails     map[string]error
	body      []byte
	takes     time.Duration // of each fill, as its entry says
	menAsked  uint32        // requests for the answers about men
	paused    bool
	filled    int // calls of OnFilled
}

var (
	men   = store.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: store.Live}
	women = store.Scope{Season: "2025", Division: "2030", Gender: "F", Checkpoint: store.Live}
)

// start returns a world with a published generation, whose walker runs until the test ends.
// Its cache has room for a number of bytes. Unless block is nil, each fill first receives
// from it.
func start(t *testing.T, room int64, block chan struct{}) *world {
	w := &world{blocked: block, routes: route.NewRouter(store.Endpoints(), "/iz/xcri"), fails: map[string]error{}, body: make([]byte, 100_000)}
	snapshot := func(s store.Scope, date string) store.Scope { s.Checkpoint = date; return s }
	w.state = calculations{men: 1, women: 1, snapshot(men, "2025-10-20"): 1, snapshot(men, "2025-10-13"): 1, snapshot(men, "2024-10-14"): 1}
	w.outage, w.entries, w.room = cache.NewOutage(nil), map[string]*cache.Entry{}, room
	w.Walker = New(Options{
		Store: w, Cache: w, Outage: w.outage, Routes: w.routes,
		Published: func() (*store.Generation, time.Time) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.published, time.Time{}
		},
		Paused:   func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.paused },
		OnFilled: func() { w.filled++ }, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go w.Run(ctx)
	w.publish()
	return w
}

// publish publishes the present state, as after a poll.
func (w *world) publish() {
	w.change(func() { w.published = w.state.generation() })
	w.Wake()
}

func (w *world) Season(f func() bool) {
	w.change(func() { w.kept = map[string]bool{} })
	if f() {
		w.change(func() { maps.DeleteFunc(w.entries, func(key string, _ *cache.Entry) bool { return !w.kept[key] }) })
	}
}

func (w *world) Asked(f func(*cache.Entry, uint32)) {
	f(&cache.Entry{Content: cache.Content{Scope: men.String()}}, w.menAsked)
}

// fresh returns the entry of a key if it is of the published generation.
func (w *world) fresh(key string) *cache.Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.entries[key]
	if e == nil {
		return nil
	}
	scope, err := store.ParseScope(e.Scope)
	if err != nil || w.published.Of(scope) != e.Generation {
		return nil
	}
	return e
}

func (w *world) Keep(ctx context.Context, key string) (*cache.Entry, bool, error) {
	if e := w.fresh(key); e != nil {
		w.change(func() { w.kept[key] = true })
		return e, false, nil
	}
	filling, end := w.outage.Era().WhileUp(ctx)
	defer end()
	content, err := w.fill(filling, key)
	if err != nil {
		return nil, false, err
	}
	e := &cache.Entry{Key: key, Content: content, Took: w.takes}
	w.mu.Lock()
	defer w.mu.Unlock()
	bytes := e.Cost()
	for other, e := range w.entries {
		if other != key {
			bytes += e.Cost()
		}
	}
	if bytes > w.room {
		return e, true, cache.ErrNoRoom
	}
	w.entries[key], w.kept[key] = e, true
	return e, true, nil
}

func (w *world) WithSeries(ctx context.Context) context.Context { return ctx }

func (w *world) Subjects(_ context.Context, s store.Scope) (*store.Subjects, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listed = append(w.listed, s.Gender)
	if err := w.fails["subjects"]; err != nil {
		return nil, err
	}
	if s == women {
		return &store.Subjects{Athletes: []int64{20}, Teams: []int64{7}}, nil
	}
	return &store.Subjects{
		Athletes: []int64{10, 11, 12}, Teams: []int64{5, 6}, Knockouts: []int64{6, 5}, Pairs: [][2]int64{{5, 6}},
		Regions: []string{"Great Lakes"}, Conferences: []string{"Big & Ten"},
	}, nil
}

func (w *world) fill(ctx context.Context, key string) (cache.Content, error) {
	if w.blocked != nil {
		select {
		case <-w.blocked:
		case <-ctx.Done():
			return cache.Content{}, ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, key)
	if err := cmp.Or(w.fails[key], w.fails["all"]); err != nil {
		return cache.Content{}, err
	}
	q, err := w.routes.Question(key)
	if err != nil {
		return cache.Content{}, err
	}
	scope := q.Query.Scope()
	return cache.Content{Status: 200, Size: len(w.body), Variants: []cache.Variant{{Body: w.body}}, Scope: scope.String(), Generation: w.state.generation().Of(scope)}, nil
}

// took returns the keys that were filled since the last call.
func (w *world) took() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := w.asked
	w.asked = nil
	return asked
}

func (w *world) change(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

// all is the number of keys of the whole season: of men 3 athletes with 2 answers, 2 teams
// with 5, a pair both ways, 2 snapshots and 4 filtered lists; of women 1 and 1 with 3.
const all = 3*2 + 2*5 + 2 + 2 + 4 + 2 + 3

// A walk fills each answer that the site requests about each subject of the live scopes
// once, the best ranked first, and makes the answers hits.
func TestWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 1<<30, nil)
		synctest.Wait()
		keys := w.took()
		for _, target := range []string{
			"/athletes/12?season_year=2025&division=2030&gender=M", "/scs/athletes/20/components?season_year=2025&division=2030&gender=F",
			"/teams/6?season_year=2025&division=2030&gender=M", "/athletes/team/5/roster?season_year=2025&limit=100&gender=M",
			"/teams/7/resume?season_year=2025&division=2030&gender=F", "/snapshots/2025-10-13/teams?division=2030&gender=M&limit=500",
			"/athletes/?season_year=2025&division=2030&gender=M&limit=50000&offset=0&conference=Big+%26+Ten",
			"/teams/?season_year=2025&division=2030&gender=M&limit=50000&offset=0&region=Great+Lakes",
			"/team-knockout/5?season_year=2025&rank_group_type=D&rank_group_fk=2030&gender_code=M",
			"/team-knockout/matchups?season_year=2025&rank_group_type=D&rank_group_fk=2030&gender_code=M&limit=50&offset=0&team_id=6",
			"/team-knockout/matchups/head-to-head?season_year=2025&team_a_id=6&team_b_id=5",
		} {
			q, err := w.routes.Resolve(target)
			if err != nil || !slices.Contains(keys, q.Key) || w.fresh(q.Key) == nil {
				t.Errorf("%s is not filled: %v", target, err)
			}
		}
		if slices.ContainsFunc(keys, func(key string) bool { return strings.Contains(key, "2024") }) {
			t.Error("an answer of another season is filled")
		}
		first, second := slices.Index(keys, "/teams/5?season_year=2025&division=2030&gender=M"), slices.Index(keys, "/teams/6?season_year=2025&division=2030&gender=M")
		last := slices.Index(keys, "/team-knockout/matchups/head-to-head?team_a_id=6&team_b_id=5")
		if first < 0 || second < first || last < second {
			t.Errorf("out of order: %q", keys)
		}
		s := w.Status()
		if s.State != Complete || s.Counts != (Counts{Keys: all, Done: all, Filled: all}) || len(keys) != all || s.Bytes != s.Needed || s.Bytes == 0 || w.filled != 1 {
			t.Errorf("%+v, %d keys, saved %d times", s, len(keys), w.filled)
		}
		w.Wake()
		synctest.Wait()
		if again := w.took(); len(again) > 0 || w.Status().Filled != 0 || w.filled != 1 || len(w.listed) != 2 {
			t.Errorf("filled again: %q, %+v; listed %q", again, w.Status(), w.listed)
		}
	})
}

// After an import the walk fills the answers of the imported scope alone, and lists the
// subjects of no other.
func TestWalkAfterImport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 1<<30, nil)
		synctest.Wait()
		w.took()
		w.change(func() { w.state[women]++; w.listed = nil })
		w.publish()
		synctest.Wait()
		for _, key := range w.took() {
			q, err := w.routes.Question(key)
			if scope := q.Query.Scope(); err != nil || !scope.Covers(women) {
				t.Errorf("%s was filled again", key)
			}
		}
		if s := w.Status(); s.State != Complete || s.Filled == 0 || s.Done != all || !slices.Equal(w.listed, []string{"F"}) {
			t.Errorf("%+v, listed %q", s, w.listed)
		}
	})
}

// A walk that a publish interrupts begins anew, and passes over the answers that are fresh.
func TestWalkIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		w := start(t, 1<<30, block)
		for range 8 {
			block <- struct{}{}
		}
		synctest.Wait()
		if s := w.Status(); s.State != Filling || s.Done != 8 || len(w.took()) != 8 {
			t.Errorf("%+v", s)
		}
		w.change(func() { w.state[women]++ })
		w.publish()
		close(block)
		synctest.Wait()
		if s := w.Status(); s.State != Complete || s.Done != all || s.Filled >= all {
			t.Errorf("%+v", s)
		}
	})
}

// During an outage, and in maintenance mode, a walk waits; then it goes on where it was.
func TestWalkWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		w := start(t, 1<<30, block)
		block <- struct{}{}
		synctest.Wait()
		w.outage.Down(store.ErrUnavailable)
		time.Sleep(time.Hour)
		if s := w.Status(); s.State != Filling || s.Waiting != "the database is down" || s.Done != 1 || s.Failed != 0 {
			t.Errorf("%+v", s)
		}
		w.change(func() { w.paused = true })
		w.outage.Up()
		time.Sleep(time.Hour)
		if s := w.Status(); s.State != Filling || s.Waiting != "maintenance mode is on" || s.Done != 1 {
			t.Errorf("%+v", s)
		}
		w.change(func() { w.paused = false })
		close(block)
		time.Sleep(checkEvery)
		synctest.Wait()
		if s := w.Status(); s.State != Complete || s.Waiting != "" || s.Done != all || s.Failed != 0 || len(w.took()) > all+1 {
			t.Errorf("%+v", s)
		}
	})
}

// An answer that can't be filled is tried again after a pause, alone. A walk ends when
// nothing can be filled, and when the subjects can't be listed.
func TestWalkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errFails := errors.New("the database does not like it")
		w := start(t, 1<<30, nil)
		synctest.Wait()
		w.took()
		const key = "/teams/7?season_year=2025&division=2030&gender=F"
		w.change(func() { w.state[women]++; w.fails[key] = errFails })
		w.publish()
		synctest.Wait()
		if s := w.Status(); s.State != Incomplete || s.Failed != 1 || s.Done != all || s.Error != errFails.Error() || len(w.took()) == 0 {
			t.Errorf("%+v", s)
		}
		time.Sleep(firstRetry)
		synctest.Wait()
		if again := w.took(); !slices.Equal(again, []string{key}) || w.Status().State != Incomplete {
			t.Errorf("filled again: %q, %+v", again, w.Status())
		}
		time.Sleep(firstRetry + time.Second)
		w.change(func() { delete(w.fails, key) })
		if again := w.took(); len(again) > 0 {
			t.Errorf("the pause did not grow: %q", again)
		}
		time.Sleep(firstRetry)
		synctest.Wait()
		if s := w.Status(); s.State != Complete || s.Filled != 1 || s.Error != "" || len(w.took()) != 1 {
			t.Errorf("%+v", s)
		}

		w.change(func() { w.state[men]++; w.fails["subjects"] = errFails })
		w.publish()
		synctest.Wait()
		if s := w.Status(); s.State != Incomplete || s.Error != errFails.Error() || len(w.took()) != 0 {
			t.Errorf("without subjects: %+v", s)
		}
		w.change(func() {
			for s := range w.state {
				w.state[s]++
			}
			w.published = w.state.generation()
			delete(w.fails, "subjects")
			w.fails["all"] = errFails
		})
		time.Sleep(firstRetry)
		synctest.Wait()
		if s := w.Status(); s.State != Incomplete || s.Failed != mostFailures || s.Done >= all {
			t.Errorf("without answers: %+v", s)
		}
	})
}

// Where the room is full the walk ends, and says how many keys are left out and how many
// bytes all of them need.
func TestWalkWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 710_000, nil)
		synctest.Wait()
		s := w.Status()
		if s.State != Full || s.Done != 7 || s.LeftOut != all-7 || s.Filled != 8 || s.Bytes > 710_000 || s.Needed < 2*s.Bytes || s.Failed != 0 || w.filled != 1 {
			t.Errorf("%+v", s)
		}
		if asked := w.took(); len(asked) != 8 {
			t.Errorf("%q", asked)
		}
	})
}

// Where visitors ask more for a scope, its answers come first.
func TestOrderByPopularity(t *testing.T) {
	for asked, first := range map[uint32]string{0: "gender=F", 1000: "gender=M"} {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, 1<<30, nil)
			synctest.Wait()
			w.change(func() { w.state[men]++; w.state[women]++; w.menAsked = asked })
			w.took()
			w.publish()
			synctest.Wait()
			if keys := w.took(); !strings.Contains(keys[0], first) || w.Status().State != Complete {
				t.Errorf("%d requests for men: %s is the first", asked, keys[0])
			}
		})
	}
}

// After a slow fill the walk leaves the database alone for a while.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 1<<30, nil)
		synctest.Wait()
		for _, tt := range []struct{ takes, pause time.Duration }{{slowFill, rest * slowFill}, {time.Hour, longestRest}} {
			w.change(func() { w.state[women]++; w.takes = tt.takes })
			w.took()
			w.publish()
			synctest.Wait()
			if n := len(w.took()); n != 1 {
				t.Errorf("%d fills", n)
			}
			time.Sleep(tt.pause - 1)
			if n := len(w.took()); n != 0 {
				t.Errorf("%d fills in the pause after %v", n, tt.takes)
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if n := len(w.took()); n != 1 {
				t.Errorf("%d fills after the pause", n)
			}
			time.Sleep(24 * time.Hour)
			synctest.Wait()
		}
		if s := w.Status(); s.State != Complete {
			t.Errorf("%+v", s)
		}
	})
}
