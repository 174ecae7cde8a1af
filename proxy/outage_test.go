package proxy

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/pages"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/limit"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

const (
	// outage is the duration for which the database is down.
	outage = 3 * time.Second
	// recovery is the time after the database's return within which the warm set must
	// be hits again.
	recovery = 5 * time.Second
	// immediate limits the time of requests that must not wait for the database. It is
	// generous: a request that does wait takes at least the connection timeout.
	immediate = time.Second
)

// The phases of an outage from the test's point of view.
const (
	up      = iota
	failing // the database is down; the proxy may not have detected it yet
	down    // the proxy has detected the outage
	back    // the database may be up again
)

// sufferer requests warm keys and keys that no client has requested before, and
// records the outcome of each request.
type sufferer struct {
	base     string
	warm     []string
	phase    atomic.Int32
	detected atomic.Int64 // in Unix nanoseconds
	cold     atomic.Int64 // number of the latest cold key
	asked    atomic.Int64 // cold keys requested since the phase back began

	mu      sync.Mutex
	refused []time.Duration // durations of 503 answers to requests sent after the detection
	told    []time.Duration // delays between the detection and the 503 of a request that was waiting
	served  int             // stale answers from the warm set
}

func (s *sufferer) request(v *keptConn, turn int) error {
	phase, began := s.phase.Load(), time.Now()
	if turn%8 > 0 {
		return s.requestWarm(v, s.warm[turn%len(s.warm)], phase)
	}
	if phase == back {
		s.asked.Add(1)
	}
	target := fmt.Sprintf("/teams/?season_year=2025&limit=%d", 1000+s.cold.Add(1))
	a, err := v.get(target)
	ended, after := time.Now(), s.phase.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case a.status == 200 && phase != down:
		return nil
	case a.status != 503 || a.header.Get("Retry-After") == "" || phase == up && after == up:
		return fmt.Errorf("%s in phase %d to %d: %d, Retry-After %q", target, phase, after, a.status, a.header.Get("Retry-After"))
	case phase == down && after == down:
		s.refused = append(s.refused, ended.Sub(began))
	case phase <= failing && after == down:
		s.told = append(s.told, ended.Sub(time.Unix(0, s.detected.Load())))
	}
	return nil
}

func (s *sufferer) requestWarm(v *keptConn, target string, phase int32) error {
	a, err := v.get(target)
	after := s.phase.Load()
	old := a.outcome() == "stale_error"
	switch {
	case err != nil:
		return err
	case a.status != 200 || len(a.body) == 0, !old && a.outcome() != "hit",
		old && after == up, !old && phase == down && after == down:
		return fmt.Errorf("%s in phase %d to %d: %d %s", target, phase, after, a.status, a.outcome())
	}
	if old {
		s.mu.Lock()
		s.served++
		s.mu.Unlock()
	}
	return nil
}

// startOn starts a proxy on a server's sample data, and returns the site's lists.
func startOn(t *testing.T, srv *mariadb.Server, poll time.Duration) (p *Proxy, base string, warm []string) {
	t.Helper()
	opts := optionsFor(t, srv, mariadb.Database)
	opts.Generations.Interval = poll
	p, base = start(t, opts)
	for _, s := range live {
		warm = append(warm, warmTargets(s)...)
	}
	return p, base, append(warm, pages.Default()[:3]...)
}

// TestOutage: while the database is killed or hangs, every request of the warm set is
// answered and every other request is refused immediately. After the outage the warm
// set is fresh again, without a burst of fills.
func TestOutage(t *testing.T) {
	srv, err := mariadb.Start(mariadb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	for _, kind := range []struct {
		name      string
		stop, run func() error
		detection time.Duration // the longest
	}{
		{"killed", func() error { srv.Kill(); return nil }, srv.Run, immediate},
		{"hanging", func() error { return srv.Signal(syscall.SIGSTOP) }, func() error { return srv.Signal(syscall.SIGCONT) }, 2*time.Second + immediate},
	} {
		t.Run(kind.name, func(t *testing.T) {
			p, base, warm := startOn(t, srv, 100*time.Millisecond)
			s := &sufferer{base: base, warm: warm}
			crowd := visit(t, base, 30, func() func(*keptConn, int) error { return s.request })
			await(t, "all is well under load", func() bool { return crowd.answers.Load() > 300 })

			s.phase.Store(failing)
			// The proxy counts only the time for which its process runs.
			detecting, done := limit.Within(t.Context(), kind.detection)
			defer done()
			stopped := time.Now()
			if err := kind.stop(); err != nil {
				t.Fatal(err)
			}
			var since time.Time
			await(t, "the proxy knows", func() bool {
				var cause error
				since, cause = p.outage.Since()
				return cause != nil
			})
			late := detecting.Err() != nil
			s.detected.Store(since.UnixNano())
			s.phase.Store(down)
			await(t, "requests are served and refused", s.suffered)
			<-time.After(time.Until(stopped.Add(outage)))
			s.phase.Store(back)
			published, fills := p.generations.Status().Published, p.Stats().Cache.Fills
			if err := kind.run(); err != nil {
				t.Fatal(err)
			}
			returned := time.Now()
			recovering, done := limit.Within(t.Context(), recovery)
			defer done()
			awaitHits(t, p, warm)
			recovered := time.Since(returned)
			late = late || recovering.Err() != nil
			await(t, "missing keys are filled", func() bool { return get(t, base, "/teams/?season_year=2025&limit=999").status == 200 })
			crowd.stop()

			s.report(t)
			t.Logf("detected after %v, warm set hits %v after the return", since.Sub(stopped).Round(time.Millisecond), recovered.Round(time.Millisecond))
			if late {
				t.Error("too late")
			}
			// Only missing keys that were requested are filled. Up to 30 requests may
			// have been sent before the phase changed.
			if got, most := p.Stats().Cache.Fills-fills, s.asked.Load()+1+30; got > most || p.generations.Status().Published != published {
				t.Errorf("%d fills after the return, for %d requests; %+v", got, most, p.generations.Status())
			}
		})
	}
	t.Run("restarted", func(t *testing.T) { testRestart(t, srv) })
	t.Run("late", func(t *testing.T) { testLateDatabase(t, srv) })
}

// awaitHits waits until requests for all targets would be hits.
func awaitHits(t *testing.T, p *Proxy, targets []string) {
	t.Helper()
	for _, target := range targets {
		key, err := keyOf(p, target)
		if err != nil {
			t.Fatal(err)
		}
		await(t, target+" is a hit again", func() bool { return p.cache.Peek(&cache.Ref{Key: key}).Outcome == cache.Hit })
	}
}

// suffered reports whether requests of both kinds were made during the outage.
func (s *sufferer) suffered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served > 0 && len(s.refused) >= 30
}

// report logs the outcome of the requests and fails the test if a limit is exceeded.
func (s *sufferer) report(t *testing.T) {
	t.Helper()
	slices.Sort(s.refused)
	n := len(s.refused)
	t.Logf("%d requests of the warm set served from old answers; %d others refused: median %v, 99 %% within %v, longest %v (goal: 50 ms)",
		s.served, n, s.refused[n/2], s.refused[n*99/100], s.refused[n-1])
	if s.refused[n/2] > immediate {
		t.Error("requests wait for a database that is known to be down")
	}
	if len(s.told) > 0 {
		late := slices.Max(s.told)
		t.Logf("%d had waited, and got an answer within %v", len(s.told), late)
		if late > immediate {
			t.Error("they did not get an answer immediately")
		}
	}
}

// testRestart: a database that restarts between two requests fails neither request,
// although all pooled connections predate the restart.
func testRestart(t *testing.T, srv *mariadb.Server) {
	p, base, warm := startOn(t, srv, time.Hour)
	ask := func(season int) {
		var clients sync.WaitGroup
		for i := range 20 {
			clients.Go(func() {
				v, err := newKeptConn(base)
				if err != nil {
					t.Error(err)
					return
				}
				defer v.conn.Close()
				target := fmt.Sprintf("/teams/?season_year=%d&limit=%d", season, 100+i)
				if a, err := v.get(target); err != nil || a.status != 200 {
					t.Errorf("%s: %d, %v", target, a.status, err)
				}
			})
		}
		clients.Wait()
	}
	ask(2024)
	srv.Kill()
	if err := srv.Run(); err != nil {
		t.Fatal(err)
	}
	ask(2025)
	awaitLook(t, p, p.generations.Poll(nil))
	for _, target := range warm {
		if a := get(t, base, target); a.status != 200 || a.outcome() != "hit" {
			t.Errorf("%s: %d %s", target, a.status, a.outcome())
		}
	}
	checkRequests(t, p)
}

// testLateDatabase: the proxy starts while the database is down and recovers when the
// database comes up.
func testLateDatabase(t *testing.T, srv *mariadb.Server) {
	srv.Kill()
	p, base, warm := startOn(t, srv, shortPoll)
	if a := get(t, base, warm[0]); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("refused at the start: %d %s", a.status, a.body)
	}
	if err := srv.Run(); err != nil {
		t.Fatal(err)
	}
	returned := time.Now()
	awaitHits(t, p, warm)
	if took := time.Since(returned); took > recovery {
		t.Errorf("the warm set is there %v after the database", took)
	}
}

// TestSlowPoll: a database that is slow to return its generation is not considered
// down.
func TestSlowPoll(t *testing.T) {
	p, _ := start(t, Options{Generations: generation.Options{Interval: time.Millisecond}, Origin: &fakeOrigin{generation: func() (*store.Generation, error) {
		time.Sleep(250 * time.Millisecond)
		return &store.Generation{}, nil
	}}})
	for range 3 {
		awaitLook(t, p, p.generations.Poll(nil))
		if _, cause := p.outage.Since(); cause != nil {
			t.Errorf("down: %v", cause)
		}
	}
}

// A poll that found no free connection, or lost its own connection while the server
// answers, does not count as an outage: it is no evidence about the database.
func TestOutageNeedsEvidence(t *testing.T) {
	for _, tt := range []struct {
		err  error
		down bool
	}{
		{store.ErrBusy, false}, {store.ErrInterrupted, false},
		{store.ErrUnavailable, true}, {store.ErrTimeout, true}, {store.ErrSetup, true}, {errUnknown, true},
	} {
		var fails atomic.Bool
		p, base := start(t, Options{Origin: &fakeOrigin{generation: func() (*store.Generation, error) {
			if fails.Load() {
				return nil, wrapped{tt.err}
			}
			return &store.Generation{}, nil
		}}})
		awaitLook(t, p, p.generations.Poll(nil))
		fails.Store(true)
		awaitLook(t, p, p.generations.Poll(nil))
		if _, cause := p.outage.Since(); (cause != nil) != tt.down {
			t.Errorf("after %v: outage %v", tt.err, cause)
		}
		want := 200
		if tt.down {
			want = 503
		}
		if a := get(t, base, "/teams/"); a.status != want {
			t.Errorf("after %v: %d, want %d", tt.err, a.status, want)
		}
	}
}
