package proxy

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/pages"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
)

// hopper is a visitor who is moved to another member with each request. No answer may be of an
// older generation than any answer before it, of the same target or of another.
type hopper struct {
	conns   []*keptConn
	journal *journal
	newest  int // version in any answer so far
}

// read requests a target from the next member. It reports whether the answer is older than an
// answer before it.
func (h *hopper) read(target string, turn int) (older string, err error) {
	member := turn % len(h.conns)
	a, err := h.conns[member].get(target)
	if err != nil {
		return "", err
	}
	if a.status != 200 {
		return "", fmt.Errorf("%s: %d %.200s", target, a.status, a.body)
	}
	c := h.journal.read(a.body)
	if c.err != nil {
		return "", fmt.Errorf("%s, %s: %w", target, a.outcome(), c.err)
	}
	for scope, version := range c.versions {
		if want := h.journal.at(scope, h.newest); version < want {
			older = fmt.Sprintf("%s, %s of member %d: version %d of %v after %d", target, a.outcome(), member, version, scope, want)
		}
	}
	h.newest = max(h.newest, c.newest)
	return older, nil
}

// hopping is a crowd of hoppers over the members of a fleet.
type hopping struct {
	journal journal
	stopped atomic.Bool
	all     sync.WaitGroup
	answers atomic.Int64
	older   atomic.Int64
	// lenient is set while an older answer is no error.
	lenient atomic.Bool
	version int
}

// hop starts visitors who hop between members, and request lists of the warm set and other
// targets. They follow the imports of other visitors, if there were any.
func hop(t *testing.T, bases []string, targets []string, after *hopping) *hopping {
	t.Helper()
	h := &hopping{}
	if after != nil {
		h.journal.versions, h.version = after.journal.versions, after.version
	}
	t.Cleanup(h.stop)
	for i := range 12 {
		v := &hopper{journal: &h.journal}
		for _, base := range bases {
			conn, err := newKeptConn(base)
			if err != nil {
				t.Fatal(err)
			}
			v.conns = append(v.conns, conn)
		}
		h.all.Go(func() {
			for turn := i; !h.stopped.Load(); turn++ {
				lenient := h.lenient.Load()
				older, err := v.read(targets[turn*7%len(targets)], turn)
				switch {
				case err != nil:
					t.Errorf("visitor %d: %v", i, err)
					return
				case older != "":
					h.older.Add(1)
					if !lenient && !h.lenient.Load() {
						t.Errorf("visitor %d: %s", i, older)
						return
					}
				}
				h.answers.Add(1)
				time.Sleep(pace)
			}
			for _, conn := range v.conns {
				conn.conn.Close()
			}
		})
	}
	return h
}

func (h *hopping) stop() {
	h.stopped.Store(true)
	h.all.Wait()
}

// imports imports the next version of a scope.
func (h *hopping) imports(t *testing.T, db *sql.DB) {
	t.Helper()
	h.version++
	scope := live[h.version%len(live)]
	h.journal.add(scope, h.version)
	if err := importer.Import(t.Context(), db, scope, h.version, importer.Options{}); err != nil {
		t.Fatal(err)
	}
}

// published waits until members have published the last version.
func (h *hopping) published(t *testing.T, members ...*Proxy) {
	t.Helper()
	for i, p := range members {
		await(t, fmt.Sprintf("version %d on member %d", h.version, i), func() bool { return publishedVersion(p) == h.version })
	}
}

// slow is a database that answers one question, of the member's own warm set, only while gate
// is nil.
type slow struct {
	Origin
	gate atomic.Pointer[chan struct{}]
}

// slowTarget is the target of that question.
const slowTarget = "/team-knockout/matchups/head-to-head?season_year=2025&team_a_id=1&team_b_id=2"

func (s *slow) Run(ctx context.Context, q store.Query) (store.Answer, error) {
	if gate := s.gate.Load(); gate != nil && strings.HasSuffix(q.Endpoint.Path, "/head-to-head") {
		select {
		case <-*gate:
		case <-ctx.Done():
			return store.Answer{}, ctx.Err()
		}
	}
	return s.Origin.Run(ctx, q)
}

// hopTargets are lists of the warm set, and other targets.
func hopTargets(t *testing.T, db *sql.DB) (targets []string) {
	for _, s := range live {
		targets = append(targets, warmTargets(s)...)
	}
	return append(targets, coldTargets(t, db)...)
}

// TestHop: a visitor who is moved between three members at each request never gets an older
// generation than before, while imports are published: with all members, and with a
// member that does not finish its warm set.
func TestHop(t *testing.T) {
	opts, db := scratch(t)
	opts.Cache.WaitTimeout = time.Minute
	url := redisserver.Start(t).URL
	members, bases := join(t, 2, opts, db, url)
	own := fleetOptions(t, opts, db, url)
	slow := &slow{Origin: own.Origin}
	own.Origin, own.Generations.Pages = slow, append(pages.Default(), slowTarget)
	p, base := start(t, own)
	members, bases = append(members, p), append(bases, base)
	for _, p := range members {
		await(t, "three members", func() bool { return len(p.fleet.Members()) == 3 && p.fleet.Stats().Up })
	}
	h := hop(t, bases, hopTargets(t, db), nil)
	for range 4 {
		h.imports(t, db)
		h.published(t, members...)
	}
	gate := make(chan struct{})
	slow.gate.Store(&gate)
	for range 2 {
		h.imports(t, db)
		h.published(t, members...) // the slow member, too, with the others
	}
	slow.gate.Store(nil)
	close(gate)
	for range 4 {
		h.imports(t, db) // without a pause
	}
	h.published(t, members...)
	h.stop()
	for _, p := range members {
		checkFleetRequests(t, p)
		await(t, "the end of all waits", func() bool { return p.Stats().Fleet.Holds.Now == 0 })
		if f := p.Stats().Fleet; f.Publishes.Together == 0 || f.Publishes.Alone != 0 {
			t.Errorf("%+v, %+v", f.Publishes, f.Holds)
		}
	}
	t.Logf("%d answers, %d of them older", h.answers.Load(), h.older.Load())
}

// checkFleetRequests checks that no request has failed, and that the member was connected.
func checkFleetRequests(t *testing.T, p *Proxy) {
	t.Helper()
	s := p.Stats()
	if s.Requests.Outcomes["error"] > 0 || s.Requests.Panics > 0 || p.fleet.Stats().Opened > 0 {
		t.Errorf("%+v, %+v", s.Requests, p.fleet.Stats())
	}
}

// TestHopWithoutLevel: while the level is away each member publishes by itself. An answer may be
// older until all have published, but no longer, and none after the return of the level.
func TestHopWithoutLevel(t *testing.T) {
	opts, db := scratch(t)
	opts.Cache.WaitTimeout = time.Minute
	s := redisserver.Start(t)
	members, bases := join(t, 3, opts, db, s.URL)
	h := hop(t, bases, hopTargets(t, db), nil)
	h.imports(t, db)
	h.published(t, members...)
	h.lenient.Store(true)
	h.imports(t, db)
	s.Kill() // before, or while, the members agree
	h.published(t, members...)
	h.imports(t, db)
	h.published(t, members...)
	s.Run()
	for _, p := range members {
		await(t, "the link", func() bool { return p.fleet.Stats().Up && len(p.fleet.Members()) == 3 })
	}
	t.Logf("%d of %d answers are older without the level", h.older.Load(), h.answers.Load())
	h.stop()
	again := hop(t, bases, hopTargets(t, db), h)
	again.imports(t, db)
	again.published(t, members...)
	again.stop()
}

// TestPopularOverTheFleet: a key that visitors request on several members is in the warm set of
// each, also of a new member that no visitor has asked.
func TestPopularOverTheFleet(t *testing.T) {
	opts, db := scratch(t)
	url := redisserver.Start(t).URL
	members, bases := join(t, 2, opts, db, url)
	steady(t, members) // a publish halves the counts
	const target = "/athletes/?season_year=2025&division=2030&gender=M&limit=49998"
	for range 3 { // fewer than a single proxy demands
		for _, base := range bases {
			get(t, base, target)
		}
	}
	key, err := keyOf(members[0], target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, p := range members {
			if s := p.Stats(); t.Failed() {
				t.Logf("events %+v, hottest %+v, published %+v, fleet %+v", s.Events, s.Hottest, s.Generation.Published, s.Fleet)
			}
		}
	})
	added, _ := join(t, 1, opts, db, url)
	members = append(members, added...)
	for _, p := range members {
		await(t, "the key in the warm set", func() bool {
			for _, p := range members { // without the wait for the next report, which may also be under way
				p.fleet.Want(t.Context())
			}
			return slices.Contains(p.generations.WarmSet(), key)
		})
	}
}
