package proxy

import (
	"bufio"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/pages"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	databases "github.com/lewistv/xcri-proxy/store/storetest/scratch"
	"github.com/lewistv/xcri-proxy/store/storetest/stores"
)

const (
	// importing is the time for which the calculation job imports under load.
	importing = 3 * time.Second
	// shortPoll is a poll interval with which the tests see an import soon.
	shortPoll = 50 * time.Millisecond
	// pace is a visitor's pause between requests, so that visitors alone do not occupy
	// two processors.
	pace = 20 * time.Millisecond
	// soon is a generous deadline for events that take a moment on an idle machine.
	soon = time.Minute
)

// scratch makes a database for one test with the sample data.
func scratch(t testing.TB, change ...func(*store.Options)) (Options, *sql.DB) {
	t.Helper()
	name, db := databases.Sample(t)
	return optionsFor(t, databases.Server(t), name, change...), db
}

// optionsFor returns the options of a proxy as main makes them, with a short poll
// interval. The server has just written the tables, but no change of a table settles within
// a test: 5 s after it, the proxy would read the table, and entries would become stale.
func optionsFor(t testing.TB, srv *mariadb.Server, database string, change ...func(*store.Options)) Options {
	t.Helper()
	opts := stores.On(srv, database)
	for _, c := range change {
		c(&opts)
	}
	generations := generation.Options{Interval: shortPoll, Changes: generation.Changes{Settle: time.Hour}}
	return Options{Origin: stores.Open(t, opts), Generations: generations, Cache: cache.Options{Fills: 7}}
}

// await waits until holds returns true, or fails the test.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// live holds every live scope of the sample's newest season.
var live = func() (all []importer.Scope) {
	for _, division := range []int{2030, 2032, 19781} {
		for _, gender := range []string{"M", "F"} {
			all = append(all, importer.Scope{Season: 2025, Division: division, Gender: gender})
		}
	}
	return all
}()

// warmTargets returns the site's lists for a scope.
func warmTargets(s importer.Scope) []string {
	return pages.Lists(store.Scope{Season: fmt.Sprint(s.Season), Division: fmt.Sprint(s.Division), Gender: s.Gender})
}

// coldTargets returns pages outside the warm set, of one scope and of several. The
// handles are from the sample data.
func coldTargets(t testing.TB, db *sql.DB) (targets []string) {
	t.Helper()
	for _, s := range live {
		scope := fmt.Sprintf("season_year=%d&division=%d&gender=%s", s.Season, s.Division, s.Gender)
		var athlete, team int
		row := db.QueryRow("SELECT anet_athlete_hnd, anet_team_hnd FROM iz_rankings_xcri_athlete_rankings WHERE season_year = ? AND"+
			" division_code = ? AND gender_code = ? AND checkpoint_date IS NULL LIMIT 1", s.Season, s.Division, s.Gender)
		if err := row.Scan(&athlete, &team); err != nil {
			t.Fatal(err)
		}
		targets = append(targets,
			fmt.Sprintf("/athletes/%d?%s", athlete, scope),
			fmt.Sprintf("/athletes/team/%d/roster?%s", team, scope),
			fmt.Sprintf("/teams/%d?%s", team, scope),
			fmt.Sprintf("/team-knockout/matchups?team_id=%d&rank_group_fk=%d&gender_code=%s", team, s.Division, s.Gender),
			"/athletes/?limit=20&region=West&"+scope)
	}
	return append(targets, "/athletes/?season_year=2025&limit=200", "/teams/?season_year=2025&search=st",
		"/team-knockout/?limit=50", "/metadata/?season_year=2025")
}

// datedTargets belong to snapshots, which no import here rewrites.
var datedTargets = []string{
	"/snapshots/2025-10-20/athletes?division=2030&gender=M&limit=50000", // warm
	"/snapshots/2025-10-20/teams?division=2032&gender=F&limit=50000",    // warm
	"/snapshots/2025-10-13/athletes?division=2030&gender=F&limit=50",
	"/athletes/?season_year=2025&checkpoint_date=2025-10-20&limit=50",
	"/team-knockout/?checkpoint_date=2025-10-13",
}

// journal records the imports: for each scope, the versions that its rows have had.
// Versions grow from import to import, across all scopes.
type journal struct {
	mu       sync.Mutex
	versions map[importer.Scope][]int
	bodies   sync.Map // of shown
}

// add records a version before its import is committed.
func (j *journal) add(s importer.Scope, version int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.versions == nil {
		j.versions = map[importer.Scope][]int{}
	}
	j.versions[s] = append(j.versions[s], version)
}

// at returns the version of a scope in the state of the database whose newest version
// was newest.
func (j *journal) at(s importer.Scope, newest int) (version int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, v := range j.versions[s] {
		if v <= newest {
			version = v
		}
	}
	return version
}

// versionOf parses a calculated_at; zero stands for the sample's own.
func versionOf(at string) int {
	when, err := time.Parse("2006-01-02T15:04:05", at)
	if err != nil {
		return -1
	}
	return max(0, int(when.Sub(importer.Base)/time.Second))
}

// publishedVersion returns the newest version in the published generation.
func publishedVersion(p *Proxy) int {
	current, _ := p.generations.Published()
	if current == nil {
		return 0
	}
	return versionOf(current.Calculated())
}

// ranked holds the fields that the rows of many answers have in common.
type ranked struct {
	Season     int     `json:"season_year"`
	Division   int     `json:"division_code"`
	Group      int     `json:"rank_group_fk"`
	Gender     string  `json:"gender_code"`
	Calculated string  `json:"calculated_at"`
	KnockedOut string  `json:"calculation_date"`
	Conference *string `json:"conf_group_name"`
}

// shown holds the calculations that a body's rows come from.
type shown struct {
	versions map[importer.Scope]int
	newest   int
	err      error // the error found in the body
}

// read returns the calculations of an answer's rows: each row must have the version
// that its scope had in one state of the database. Each distinct body is parsed once.
func (j *journal) read(body string) shown {
	if known, ok := j.bodies.Load(body); ok {
		return known.(shown)
	}
	c := shown{versions: map[importer.Scope]int{}}
	c.err = j.look(&c, body)
	j.bodies.Store(body, c)
	return c
}

func (j *journal) look(c *shown, body string) error {
	text, err := inflate(body)
	if err != nil {
		return err
	}
	var a struct {
		Results, Matchups []ranked
		ranked
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return err
	}
	for _, r := range slices.Concat(a.Results, a.Matchups, []ranked{a.ranked}) {
		scope := importer.Scope{Season: r.Season, Division: r.Division + r.Group, Gender: r.Gender}
		version := versionOf(r.Calculated + r.KnockedOut)
		if version < 0 {
			continue // the head of a list
		}
		if seen, ok := c.versions[scope]; ok && seen != version {
			return fmt.Errorf("versions %d and %d of %v", seen, version, scope)
		}
		// A list of athletes takes the conference from the teams' table.
		if r.Conference != nil && version > 0 && *r.Conference != importer.Name(version) {
			return fmt.Errorf("version %d of %v beside rows of %s", version, scope, *r.Conference)
		}
		c.versions[scope] = version
		c.newest = max(c.newest, version)
	}
	for scope, version := range c.versions {
		if want := j.at(scope, c.newest); version != want {
			return fmt.Errorf("version %d of %v beside version %d of another, where it was %d", version, scope, c.newest, want)
		}
	}
	return nil
}

// inflate decompresses a body in gzip, and returns any other body unchanged.
func inflate(body string) ([]byte, error) {
	if strings.HasPrefix(body, "{") {
		return []byte(body), nil
	}
	z, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// keptConn sends requests on one connection that stays open.
type keptConn struct {
	conn net.Conn
	from *bufio.Reader
}

func newKeptConn(base string) (*keptConn, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		return nil, err
	}
	return &keptConn{conn, bufio.NewReader(conn)}, nil
}

// get requests a target. It may be called from any goroutine.
func (v *keptConn) get(target string) (answer, error) {
	v.conn.SetDeadline(time.Now().Add(soon))
	if _, err := fmt.Fprintf(v.conn, "GET %s HTTP/1.1\r\nHost: proxy.example\r\nAccept-Encoding: gzip\r\n\r\n", target); err != nil {
		return answer{}, err
	}
	resp, err := http.ReadResponse(v.from, nil)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	var body strings.Builder
	_, err = bufio.NewReader(resp.Body).WriteTo(&body)
	return answer{resp.StatusCode, resp.Header, body.String()}, err
}

// crowd is a group of visitors that request targets until stop.
type crowd struct {
	stopped  atomic.Bool
	visitors sync.WaitGroup
	answers  atomic.Int64
}

func (c *crowd) stop() {
	c.stopped.Store(true)
	c.visitors.Wait()
}

// visit starts n visitors. Each repeats the function that a call of begin returns,
// until stop or an error.
func visit(t *testing.T, base string, n int, begin func() func(v *keptConn, turn int) error) *crowd {
	t.Helper()
	c := &crowd{}
	t.Cleanup(c.stop)
	for i := range n {
		v, err := newKeptConn(base)
		if err != nil {
			t.Fatal(err)
		}
		c.visitors.Go(func() {
			defer v.conn.Close()
			run := begin()
			for turn := i; !c.stopped.Load(); turn += 7 { // the visitors start at different targets
				if err := run(v, turn); err != nil {
					t.Errorf("visitor %d: %v", i, err)
					return
				}
				c.answers.Add(1)
				time.Sleep(pace)
			}
		})
	}
	return c
}

// reader checks the answers that a visitor reads during imports.
type reader struct {
	p       *Proxy
	journal *journal
	warm    map[string]bool
	dated   map[string]string // bodies, which must not change
	last    map[string]int
}

// read requests a target once and returns an error if the answer is wrong.
func (r *reader) read(v *keptConn, target string) error {
	published := publishedVersion(r.p)
	a, err := v.get(target)
	if err != nil {
		return err
	}
	outcome := a.outcome()
	switch want, dated := r.dated[target]; {
	case a.status != 200:
		return fmt.Errorf("%s: %d %.200s", target, a.status, a.body)
	case (dated || r.warm[target]) && outcome != "hit":
		return fmt.Errorf("%s: %s", target, outcome)
	case dated && a.body != want:
		return fmt.Errorf("%s changed: %.300s", target, a.body)
	case dated:
		return nil
	}
	c := r.journal.read(a.body)
	switch {
	case c.err != nil:
		return fmt.Errorf("%s, %s: %w", target, outcome, c.err)
	case c.newest < r.last[target]:
		return fmt.Errorf("%s, %s: version %d after version %d", target, outcome, c.newest, r.last[target])
	}
	r.last[target] = c.newest
	for scope, version := range c.versions {
		if want := r.journal.at(scope, published); version < want && outcome != "stale" {
			return fmt.Errorf("%s, %s: version %d of %v, though %d had been published before", target, outcome, version, scope, want)
		}
	}
	return nil
}

// newReaders waits until the proxy's warm set is filled, and returns the targets and a
// function that makes readers. The answers of snapshots are read once, for comparison.
func newReaders(t *testing.T, p *Proxy, base string, j *journal) (targets []string, newReader func() *reader) {
	t.Helper()
	warm, dated := map[string]bool{"/metadata/latest": true}, map[string]string{}
	for _, s := range live {
		for _, target := range warmTargets(s) {
			warm[target] = true
		}
	}
	for target := range warm {
		targets = append(targets, target)
	}
	for _, target := range datedTargets {
		a := get(t, base, target, "Accept-Encoding", "gzip")
		if a.status != 200 || !strings.Contains(a.plainBody(t), `"results":[{`) {
			t.Fatalf("%s: %d %.200s", target, a.status, a.body)
		}
		dated[target] = a.body
		targets = append(targets, target)
	}
	slices.Sort(targets)
	return targets, func() *reader { return &reader{p, j, warm, dated, map[string]int{}} }
}

// errHalfWay ends an import.
var errHalfWay = errors.New("half-way")

// halfWay ends an import in the middle of its statements.
func halfWay(_ *sql.Conn, step, steps int) error {
	if step == steps/2 {
		return errHalfWay
	}
	return nil
}

// TestImportsUnderLoad: the job imports repeatedly, in several orders and with
// failures, while 50 visitors read. No answer mixes two calculations or is older than
// the generation published when it was requested; the site's lists are always hits,
// and no request fails.
func TestImportsUnderLoad(t *testing.T) {
	opts, db := scratch(t)
	p, base := start(t, opts)
	j := &journal{}
	targets, newReader := newReaders(t, p, base, j)
	targets = append(targets, coldTargets(t, db)...)
	visitors := visit(t, base, 50, func() func(*keptConn, int) error {
		r := newReader()
		return func(v *keptConn, turn int) error { return r.read(v, targets[turn%len(targets)]) }
	})
	ways := []importer.Options{{}, {Groups: 5}, {MetadataFirst: true}, {Before: halfWay}, {Before: killed(t, db)}}
	var toPublish []time.Duration
	version := 0
	for begin := time.Now(); time.Since(begin) < importing || len(toPublish) < 3; {
		version++
		scope, way := live[version%len(live)], ways[version%len(ways)]
		if way.Before == nil {
			j.add(scope, version)
		}
		err := importer.Import(t.Context(), db, scope, version, way)
		if (err != nil) != (way.Before != nil) {
			t.Fatalf("import %d: %v", version, err)
		}
		if committed := time.Now(); way.Before == nil && version%2 == 0 {
			await(t, "published", func() bool { return publishedVersion(p) >= version })
			toPublish = append(toPublish, time.Since(committed))
		}
	}
	newest := 0
	for _, s := range live {
		newest = max(newest, j.at(s, version))
	}
	await(t, "the last publish", func() bool { return publishedVersion(p) == newest })
	visitors.stop()
	slices.Sort(toPublish)
	t.Logf("%d imports, %d answers; from commit to publish: median %v, longest %v (poll %v)", version, visitors.answers.Load(),
		toPublish[len(toPublish)/2].Round(time.Millisecond), toPublish[len(toPublish)-1].Round(time.Millisecond), shortPoll)

	// A key outside the warm set is stale at most once, and then has the new rows.
	v, err := newKeptConn(base)
	if err != nil {
		t.Fatal(err)
	}
	defer v.conn.Close()
	r := newReader()
	for _, target := range targets {
		if err := r.read(v, target); err != nil {
			t.Error(err)
		}
		awaitHit(t, p, base, target)
		if err := r.read(v, target); err != nil {
			t.Error(err)
		}
	}
	checkRequests(t, p)
}

// awaitHit requests a target until it is a hit, and returns its entry.
func awaitHit(t *testing.T, p *Proxy, base, target string) *cache.Entry {
	t.Helper()
	await(t, target+" is a hit", func() bool { return get(t, base, target).outcome() == "hit" })
	key, err := keyOf(p, target)
	if err != nil {
		t.Fatal(err)
	}
	return p.cache.Peek(&cache.Ref{Key: key}).Entry
}

// checkRequests checks that no request of a proxy has failed.
func checkRequests(t *testing.T, p *Proxy) {
	t.Helper()
	s := p.Stats()
	if o := s.Requests.Outcomes; o["error"] > 0 || o["stale_error"] > 0 || s.Requests.Panics+s.Cache.Panics+s.Cache.Failures > 0 {
		t.Errorf("requests: %v; %+v", o, s.Cache)
	}
}

// killed returns a function that ends an import half-way by killing its connection.
func killed(t *testing.T, db *sql.DB) func(*sql.Conn, int, int) error {
	return func(conn *sql.Conn, step, steps int) error {
		if step != steps/2 {
			return nil
		}
		var id int
		if err := conn.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
			return err
		}
		_, err := db.ExecContext(t.Context(), fmt.Sprintf("KILL %d", id))
		return err
	}
}

// TestSlowImport: cached answers do not show the rows of a slow import without a
// transaction until its metadata row is written.
func TestSlowImport(t *testing.T) {
	opts, db := scratch(t)
	p, base := start(t, opts)
	j := &journal{}
	warm, newReader := newReaders(t, p, base, j)
	scope, cold := live[0], coldTargets(t, db)
	v, err := newKeptConn(base)
	if err != nil {
		t.Fatal(err)
	}
	defer v.conn.Close()
	r := newReader()
	before := p.Stats().Generation.Warm.Published
	crowd := visit(t, base, 50, func() func(*keptConn, int) error {
		r := newReader()
		return func(v *keptConn, turn int) error { return r.read(v, warm[turn%len(warm)]) }
	})
	err = importer.Import(t.Context(), db, scope, 1, importer.Options{Loose: true, Groups: 3, Before: func(_ *sql.Conn, step, steps int) error {
		if step == steps {
			return nil // it has no transaction, so all is done
		}
		if step == steps-1 { // the metadata is about to be written
			j.add(scope, 1)
		}
		awaitLook(t, p, p.generations.Poll(nil))
		for _, target := range warm {
			if err := r.read(v, target); err != nil {
				t.Error(err)
			}
			if r.last[target] != 0 {
				t.Errorf("%s: version %d before the metadata says so", target, r.last[target])
			}
		}
		// Cold keys may show the database's current rows.
		if a, err := v.get(cold[step%len(cold)]); err != nil || a.status != 200 {
			t.Errorf("%s: %d, %v", cold[step%len(cold)], a.status, err)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "published", func() bool { return publishedVersion(p) == 1 })
	crowd.stop()
	for _, target := range warm {
		if err := r.read(v, target); err != nil {
			t.Error(err)
		}
	}
	if got := p.Stats().Generation.Warm.Published; got != before+1 {
		t.Errorf("%d generations were published, want 1", got-before)
	}
	for _, target := range cold {
		if _, err := v.get(target); err != nil { // stale, or already refreshed
			t.Error(err)
		}
		awaitHit(t, p, base, target)
		if err := r.read(v, target); err != nil {
			t.Error(err)
		}
	}
	checkRequests(t, p)
}

// held returns the entry of each target; all of them must be fresh.
func held(t *testing.T, p *Proxy, base string, targets []string) map[string]*cache.Entry {
	t.Helper()
	entries := map[string]*cache.Entry{}
	for _, target := range targets {
		entries[target] = awaitHit(t, p, base, target)
	}
	return entries
}

// checkHeld checks that the entries of targets are unchanged and hits if the change
// does not concern them, and that all others were replaced or are stale.
func checkHeld(t *testing.T, p *Proxy, entries map[string]*cache.Entry, changed func(store.Scope) bool) {
	t.Helper()
	for target, e := range entries {
		scope, err := store.ParseScope(e.Scope)
		if err != nil {
			t.Fatal(err)
		}
		s := p.cache.Peek(&cache.Ref{Key: e.Key})
		switch {
		case changed(scope) && s.Outcome == cache.Hit && s.Entry == e:
			t.Errorf("%s of %s is unchanged", target, e.Scope)
		case !changed(scope) && (s.Outcome != cache.Hit || s.Entry != e && s.Entry.Filled != e.Filled):
			t.Errorf("%s of %s is %s, filled again: %t", target, e.Scope, s.Outcome, s.Entry != e)
		}
	}
}

// everyTarget returns warm and cold targets, and targets of snapshots.
func everyTarget(t *testing.T, db *sql.DB) []string {
	t.Helper()
	targets := slices.Concat(datedTargets, coldTargets(t, db), pages.Default()[:3])
	for _, s := range live {
		targets = append(targets, warmTargets(s)...)
	}
	return targets
}

// TestImportConcernsItsScope: a change in one scope leaves the answers of all other
// scopes cached, and causes no fill for them.
func TestImportConcernsItsScope(t *testing.T) {
	opts, db := scratch(t)
	p, base := start(t, opts)
	targets := everyTarget(t, db)
	const d1Men = " WHERE season_year = 2025 AND division_code = 2030 AND gender_code = 'M' AND checkpoint_date IS NULL AND algorithm_type = 'light'"
	steps := []struct {
		name   string
		change func() error
		scope  store.Scope
	}{
		{"an import", func() error { return importer.Import(t.Context(), db, live[0], 1, importer.Options{}) },
			store.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: store.Live}},
		{"calculated_at alone", func() error {
			_, err := db.Exec("UPDATE iz_rankings_xcri_calculation_metadata SET calculated_at = calculated_at + INTERVAL 1 SECOND" + d1Men)
			return err
		}, store.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: store.Live}},
		{"a number of rows alone", func() error {
			_, err := db.Exec("UPDATE iz_rankings_xcri_calculation_metadata SET total_athletes = total_athletes + 1" + d1Men)
			return err
		}, store.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: store.Live}},
		{"a snapshot that is written again", func() error {
			return importer.Import(t.Context(), db, importer.Scope{Season: 2025, Division: 2030, Gender: "M", Checkpoint: "2025-10-20"}, 2, importer.Options{})
		}, store.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: "2025-10-20"}},
		{"a division that goes", func() error {
			err := removeDivision(db, "2025", "19781")
			p.generations.Accept(nil) // it resembles an unfinished import otherwise
			return err
		},
			store.Scope{Season: "2025", Division: "19781", Checkpoint: store.Live}},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			entries := held(t, p, base, targets)
			before := p.Stats()
			if err := step.change(); err != nil {
				t.Fatal(err)
			}
			await(t, "published", func() bool { return p.generations.Status().Published == before.Generation.Warm.Published+1 })
			checkHeld(t, p, entries, step.scope.Overlaps)
			s := p.generations.Status()
			if got := p.Stats().Cache.Fills - before.Cache.Fills; got != int64(s.Filled) || s.Failed > 0 || s.Filled == 0 {
				t.Errorf("%d fills, %+v", got, s)
			}
			if s.Filled == s.Keys {
				t.Errorf("everything was filled again: %+v", s)
			}
		})
	}
	// The lists of the removed division are empty.
	gone := warmTargets(live[4])[0]
	awaitHit(t, p, base, gone)
	a := get(t, base, gone)
	if a.body != `{"total":0,"limit":50000,"offset":0,"results":[]}` {
		t.Errorf("a division without data: %.200s", a.body)
	}
	if a := get(t, base, "/metadata/latest"); strings.Contains(a.body, `"season_year":2025,"division_code":19781`) {
		t.Errorf("the metadata: %s", a.body)
	}
	checkRequests(t, p)
}

// removeDivision deletes a division's live rows in one transaction.
func removeDivision(db *sql.DB, season, division string) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for table, column := range map[string]string{
		"iz_rankings_xcri_athlete_rankings": "division_code", "iz_rankings_xcri_team_rankings": "division_code",
		"iz_rankings_xcri_team_knockout": "rank_group_fk", "iz_rankings_xcri_team_knockout_matchups": "rank_group_fk",
		"iz_rankings_xcri_calculation_metadata": "division_code",
	} {
		if _, err := tx.Exec("DELETE FROM "+table+" WHERE checkpoint_date IS NULL AND season_year = ? AND "+column+" = ?", season, division); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// TestFailedImport: an import that is rolled back changes no answer and causes no
// fill.
func TestFailedImport(t *testing.T) {
	opts, db := scratch(t)
	p, base := start(t, opts)
	entries := held(t, p, base, everyTarget(t, db))
	before := p.Stats()
	for name, fail := range map[string]func(*sql.Conn, int, int) error{"error": halfWay, "killed": killed(t, db)} {
		for _, first := range []bool{false, true} {
			if err := importer.Import(t.Context(), db, live[0], 1, importer.Options{Before: fail, MetadataFirst: first}); err == nil {
				t.Errorf("%s: the import did not fail", name)
			}
			awaitLook(t, p, p.generations.Poll(nil))
			checkHeld(t, p, entries, func(store.Scope) bool { return false })
		}
	}
	after := p.Stats()
	if after.Cache.Fills != before.Cache.Fills || after.Generation.Warm.Published != before.Generation.Warm.Published {
		t.Errorf("%d fills and %d publishes for nothing", after.Cache.Fills-before.Cache.Fills,
			after.Generation.Warm.Published-before.Generation.Warm.Published)
	}
	checkRequests(t, p)
}

// TestNewSnapshot: the lists of a new snapshot are hits on their first request, the
// list of snapshots contains it, and older snapshots and live rankings stay cached.
func TestNewSnapshot(t *testing.T) {
	opts, db := scratch(t)
	p, base := start(t, opts)
	entries := held(t, p, base, everyTarget(t, db))
	if err := importer.Snapshot(t.Context(), db, 2025, "2025-10-27", 1); err != nil {
		t.Fatal(err)
	}
	await(t, "published", func() bool { return publishedVersion(p) == 1 })
	for _, s := range live {
		for _, target := range pages.Lists(store.Scope{Checkpoint: "2025-10-27", Division: fmt.Sprint(s.Division), Gender: s.Gender}) {
			if a := get(t, base, target); a.status != 200 || a.outcome() != "hit" || !strings.Contains(a.body, `"results":[{"rank":1,`) {
				t.Errorf("%s: %d %s %.200s", target, a.status, a.outcome(), a.body)
			}
		}
	}
	a := get(t, base, "/snapshots/")
	if a.outcome() != "hit" || !strings.HasPrefix(a.body, `{"total":4,"snapshots":[{"date":"2025-10-27","season":2025,"divisions":3,"genders":2,`) {
		t.Errorf("%s: %.200s", a.outcome(), a.body)
	}
	checkHeld(t, p, entries, store.Scope{Season: "2025", Checkpoint: "2025-10-27"}.Overlaps)
	checkRequests(t, p)
}

// TestFillAcrossAnImport: a fill that a lock delays until after an import returns an
// answer of one calculation, and does not replace a newer entry.
func TestFillAcrossAnImport(t *testing.T) {
	opts, db := scratch(t)
	p, base := start(t, opts)
	ctx := t.Context()
	lock, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	var team int
	if err := db.QueryRow("SELECT team_a_id FROM iz_rankings_xcri_team_knockout_matchups WHERE season_year = 2025 AND rank_group_fk = 2030" +
		" AND gender_code = 'M' AND checkpoint_date IS NULL LIMIT 1").Scan(&team); err != nil {
		t.Fatal(err)
	}
	if _, err := lock.ExecContext(ctx, "LOCK TABLES iz_rankings_xcri_team_knockout_matchups WRITE"); err != nil {
		t.Fatal(err)
	}
	defer lock.ExecContext(context.Background(), "UNLOCK TABLES") // if the test ends early
	target := fmt.Sprintf("/team-knockout/matchups?team_id=%d&rank_group_fk=2030&gender_code=M", team)
	ask := func() <-chan answer {
		answered := make(chan answer, 1)
		go func() {
			defer close(answered)
			if v, err := newKeptConn(base); err == nil {
				defer v.conn.Close()
				a, _ := v.get(target)
				answered <- a
			}
		}()
		return answered
	}
	waiting := func(n int) func() bool {
		return func() (enough bool) {
			var waiting int
			err := db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table%' AND db = DATABASE()").Scan(&waiting)
			return err == nil && waiting >= n
		}
	}
	early := ask()
	await(t, "the fill waits for the lock", waiting(1))
	// The rows that the fill will read and their metadata are imported meanwhile.
	at := importer.At(1).Format("2006-01-02 15:04:05")
	if _, err := lock.ExecContext(ctx, "UPDATE iz_rankings_xcri_team_knockout_matchups SET calculation_date = ? WHERE season_year = 2025"+
		" AND rank_group_fk = 2030 AND gender_code = 'M' AND checkpoint_date IS NULL", at); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("UPDATE iz_rankings_xcri_calculation_metadata SET calculated_at = ? WHERE season_year = 2025"+
		" AND division_code = 2030 AND gender_code = 'M' AND checkpoint_date IS NULL", at); err != nil {
		t.Fatal(err)
	}
	await(t, "published", func() bool { return publishedVersion(p) == 1 })
	late := ask()
	await(t, "a second fill waits: the first is of the generation before", waiting(2))
	if _, err := lock.ExecContext(ctx, "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	j := &journal{}
	j.add(live[0], 1)
	for who, answered := range map[string]<-chan answer{"early": early, "late": late} {
		a := <-answered
		if c := j.read(a.body); a.status != 200 || c.err != nil || len(c.versions) != 1 || who == "late" && c.newest != 1 {
			t.Errorf("%s: %d %s, %+v", who, a.status, a.outcome(), c)
		}
	}
	a := get(t, base, target)
	if c := j.read(a.body); a.outcome() != "hit" || c.newest != 1 || c.err != nil {
		t.Errorf("at the end: %s, %+v", a.outcome(), c)
	}
	checkRequests(t, p)
}

// numbered is a generation in which only its own entries are fresh.
type numbered string

func (g numbered) ID() string                { return string(g) }
func (g numbered) Holds(e *cache.Entry) bool { return e.Generation == string(g) }

// TestOlderFillEndsLast: of two fills that are both outdated, the answer that was read
// later stays, so that no client gets an older answer than before.
func TestOlderFillEndsLast(t *testing.T) {
	began := make(chan struct{})
	hold := map[string]chan struct{}{"1": make(chan struct{}), "2": make(chan struct{})}
	read := map[string]chan struct{}{"1": make(chan struct{}), "2": make(chan struct{})}
	var current atomic.Value
	c, err := cache.New(cache.Options{Fill: func(context.Context, string) (cache.Content, error) {
		e := cache.Content{Status: 200, Generation: current.Load().(string), Variants: []cache.Variant{{Body: []byte("{}")}}}
		began <- struct{}{}
		<-hold[e.Generation]
		return e, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, g := range []string{"1", "2"} {
		current.Store(g)
		c.Publish(numbered(g), nil)
		go func() {
			defer close(read[g])
			c.Get(&cache.Ref{Key: "list"})
		}()
		<-began
	}
	c.Publish(numbered("3"), nil)
	for _, g := range []string{"2", "1"} {
		close(hold[g])
		<-read[g]
	}
	if s := c.Peek(&cache.Ref{Key: "list"}); s.Outcome != cache.Stale || s.Entry.Generation != "2" {
		t.Errorf("%s of generation %s", s.Outcome, s.Entry.Generation)
	}
}
