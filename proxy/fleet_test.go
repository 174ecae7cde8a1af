package proxy

import (
	"cmp"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/redis"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
	databases "github.com/lewistv/xcri-proxy/store/storetest/scratch"
	"github.com/lewistv/xcri-proxy/store/storetest/stores"
)

// fleetOptions returns options of a member of a fleet, with a connection of its own to the
// database of db. A slow machine must not seem to be a level that is away.
func fleetOptions(t testing.TB, opts Options, db *sql.DB, url string) Options {
	t.Helper()
	s := stores.Open(t, stores.Beside(t, db))
	engine, err := redis.New(redis.Options{URL: url, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	opts.Origin, opts.Fleet = s, Fleet{Name: fmt.Sprint("member", databases.Number()), Options: fleet.Options{Engine: engine, Maker: "test", Budget: cmp.Or(opts.Fleet.Budget, time.Minute)}}
	opts.Generations.Changes.Settle = time.Second
	return opts
}

// join starts members of a fleet, and waits until each is connected and has published.
func join(t *testing.T, n int, opts Options, db *sql.DB, url string) (members []*Proxy, bases []string) {
	t.Helper()
	for range n {
		p, base := start(t, fleetOptions(t, opts, db, url))
		members, bases = append(members, p), append(bases, base)
	}
	for _, p := range members {
		await(t, "the link", func() bool { return p.fleet.Stats().Up })
	}
	return members, bases
}

// steady waits until the tables of the members no longer change and every publish for a change
// has ended.
func steady(t *testing.T, members []*Proxy) {
	t.Helper()
	unchanged := func(p *Proxy) bool {
		tables := p.generations.Tables()
		for _, one := range tables {
			if !one.ChangingSince.IsZero() {
				return false
			}
		}
		return len(tables) > 0 && p.generations.Data([]string{tables[0].Name}).Settled
	}
	await(t, "steady tables", func() bool {
		return !slices.ContainsFunc(members, func(p *Proxy) bool {
			published := p.generations.Status().Published
			if !unchanged(p) {
				return true
			}
			awaitLook(t, p, p.generations.Poll(nil)) // the publish for a change is part of a poll
			return !unchanged(p) || p.generations.Status().Published != published
		})
	})
}

// coldLists returns n targets of lists that no warm set contains.
func coldLists(n int) (targets []string) {
	for i := range n {
		s := live[i%len(live)]
		targets = append(targets, fmt.Sprintf("%s&limit=%d", strings.TrimSuffix(warmTargets(s)[i/len(live)%2], "&limit=50000"), 40_000+i))
	}
	return targets
}

// statements counts the statements that the server of db ran since the call, by a part of
// their text.
func statements(t *testing.T, db *sql.DB) (count func(part string) int) {
	t.Helper()
	execute(t, db, "SET GLOBAL log_output = 'TABLE'", "TRUNCATE mysql.general_log", "SET GLOBAL general_log = ON")
	t.Cleanup(func() { execute(t, db, "SET GLOBAL general_log = OFF") })
	return func(part string) (n int) {
		if err := db.QueryRow("SELECT COUNT(*) FROM mysql.general_log WHERE command_type = 'Query' AND argument LIKE ? AND argument NOT LIKE '%general_log%'", "%"+part+"%").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
}

// TestOneFillForTheFleet: clients of three proxies request the same cold lists
// concurrently, and the database reads each list once.
func TestOneFillForTheFleet(t *testing.T) {
	patient := func(o *store.Options) { o.DialTimeout, o.StatementTimeout = time.Minute, time.Minute }
	opts, db := scratch(t, patient)
	opts.Cache.FillTimeout, opts.Cache.WaitTimeout = 2*time.Minute, 2*time.Minute // for slow machines
	members, bases := join(t, 3, opts, db, redisserver.Start(t).URL)
	steady(t, members)
	const lists, clients = 42, 200
	targets := coldLists(lists)
	count := statements(t, db)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for i := range clients * len(bases) {
		all.Go(func() {
			for j := range targets {
				target := bases[i%len(bases)] + targets[(i+j)%lists]
				resp, err := client.Get(target)
				if err != nil {
					t.Error(err)
					return
				}
				if resp.StatusCode != 200 {
					body, _ := io.ReadAll(resp.Body)
					t.Errorf("%s: %d %s", target, resp.StatusCode, body)
				}
				resp.Body.Close()
			}
		})
	}
	all.Wait()
	reads := 0
	for i := range lists {
		reads += count(fmt.Sprintf("LIMIT %d%%", 40_000+i))
	}
	if reads != lists {
		t.Errorf("%d reads of %d lists", reads, lists)
	}
	for _, p := range members {
		if s := p.fleet.Stats(); s.Hits == 0 || s.Misses == 0 || s.Errors != 0 || s.Opened != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// summed reports whether a member has the sums of all tables.
func summed(p *Proxy) bool {
	sums, tables := p.generations.Note().Tables, p.generations.Tables()
	return len(tables) > 0 && len(sums) == len(tables)
}

// TestWarmOnce: a new member loads the warm set that another member has filled, and the sums of
// the tables, and reads nothing from the database but the generation.
func TestWarmOnce(t *testing.T) {
	opts, db := scratch(t)
	url := redisserver.Start(t).URL
	of := stores.Beside(t, db)
	joining := func() (*Proxy, string) {
		o := fleetOptions(t, opts, db, url)
		o.Origin = stores.Open(t, of)
		o.Generations.Changes.Settle = 3 * time.Second // until a later change has another stamp
		return start(t, o)
	}
	first, _ := joining()
	await(t, "the link", func() bool { return first.fleet.Stats().Up })
	steady(t, []*Proxy{first})
	await(t, "the warm set and the sums in the level", func() bool { return offeredAll(first) && summed(first) })
	warm := first.cache.Warm()

	of.User = fmt.Sprint("joining", databases.Number())
	execute(t, db, fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", of.User, of.Password), fmt.Sprintf("GRANT SELECT ON `%s`.* TO '%s'@'%%'", of.Name, of.User))
	t.Cleanup(func() { execute(t, db, fmt.Sprintf("DROP USER '%s'@'%%'", of.User)) })
	statements(t, db)
	p, base := joining()
	await(t, "the warm set and the sums", func() bool { return p.cache.Warm() == warm && summed(p) })
	if fills := p.cache.Stats().Fills; fills != 0 || warm < 20 {
		t.Errorf("%d fills of a warm set of %d", fills, warm)
	}
	for _, s := range live {
		for _, target := range warmTargets(s) {
			if a := get(t, base, target); a.status != 200 || a.outcome() != "hit" {
				t.Errorf("%s: %d %s", target, a.status, a.outcome())
			}
		}
	}
	rows, err := db.Query("SELECT argument, COUNT(*) FROM mysql.general_log WHERE command_type IN ('Query', 'Execute') AND user_host LIKE ? GROUP BY argument", of.User+"[%")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	generations := 0
	for rows.Next() {
		var text string
		var n int
		if err := rows.Scan(&text, &n); err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasPrefix(text, "SET "), text == "SELECT CONNECTION_ID()": // of a session
		case strings.Contains(text, "FROM information_schema.tables"):
		case strings.Contains(text, "FROM iz_rankings_xcri_calculation_metadata GROUP BY"):
			generations += n
		default:
			t.Errorf("%d times: %s", n, text)
		}
	}
	if rows.Err() != nil || generations == 0 {
		t.Errorf("%d reads of the generation, %v", generations, rows.Err())
	}
}

// offeredAll reports whether the level has each warm entry of a member under its present
// name: a lookup would find it.
func offeredAll(p *Proxy) bool {
	g, _ := p.cache.Published()
	for _, key := range p.generations.WarmSet() {
		if state := p.stateOf(g, key); state.Generation != "" && !p.fleet.Has(g, key) {
			return false
		}
	}
	return true
}

// TestNoOldAnswerFromTheLevel: rows that change with or without a calculation, and a purge,
// have new answers on each member, also on members that never had the old answers.
func TestNoOldAnswerFromTheLevel(t *testing.T) {
	opts, db := scratch(t)
	url := redisserver.Start(t).URL
	opts.Cache.Bytes = 64 << 20
	members, bases := join(t, 2, opts, db, url)
	steady(t, members)
	men := importer.Scope{Season: 2025, Division: 2030, Gender: "M"}
	const target = "/athletes/?season_year=2025&division=2030&gender=M&limit=49999"
	old := first(answerTo(t, bases[0], target))
	if again, _ := answerTo(t, bases[1], target); again != old || members[1].fleet.Stats().Hits == 0 {
		t.Fatalf("not shared: %+v", members[1].fleet.Stats())
	}
	newest := func(want, what string) {
		t.Helper()
		for i, base := range bases {
			await(t, fmt.Sprint(what, " on member ", i), func() bool { return strings.Contains(first(answerTo(t, base, target)), want) })
		}
		steady(t, members)
		added, more := join(t, 1, opts, db, url)
		if !strings.Contains(first(answerTo(t, more[0], target)), want) {
			t.Errorf("%s: a new member has the old answer", what)
		}
		members, bases = append(members, added...), append(bases, more...)
	}
	execute(t, db, "UPDATE iz_rankings_xcri_athlete_rankings SET athlete_name_last = 'Mended' WHERE season_year = 2025 AND division_code = 2030"+
		" AND gender_code = 'M' AND checkpoint_date IS NULL ORDER BY athlete_rank LIMIT 1")
	newest("Mended", "a row in place")
	if err := importer.Import(t.Context(), db, men, 7, importer.Options{}); err != nil {
		t.Fatal(err)
	}
	newest(importer.Name(7), "a calculation")
}

// TestPurgeReachesTheFleet: a purge on one member makes the entries of all members stale,
// and no member gets the purged answer from the level.
func TestPurgeReachesTheFleet(t *testing.T) {
	opts, db := scratch(t)
	members, bases := join(t, 2, opts, db, redisserver.Start(t).URL)
	steady(t, members)
	const target = "/athletes/?season_year=2025&division=2030&gender=M&limit=49999"
	for _, base := range bases {
		get(t, base, target)
	}
	before := members[0].cache.Stats().Fills + members[1].cache.Stats().Fills
	post(t, bases[0], "/cache/purge", `{"all":true,"hard":true}`)
	await(t, "the purge on the other member", func() bool { return get(t, bases[1], target).outcome() != "hit" })
	for _, base := range bases {
		get(t, base, target)
	}
	if fills := members[0].cache.Stats().Fills + members[1].cache.Stats().Fills - before; fills == 0 {
		t.Error("nothing was filled anew")
	}
}

// TestPurgeLeavesTheRest: purges that members make concurrently, each of one answer, leave all
// other answers of the shared level in use, and no member gets a purged answer from it, also
// a member that joins later.
func TestPurgeLeavesTheRest(t *testing.T) {
	opts, db := scratch(t)
	url := redisserver.Start(t).URL
	members, bases := join(t, 2, opts, db, url)
	steady(t, members)
	targets := coldLists(8)
	purged, rest := targets[:4], targets[4:]
	for _, target := range targets {
		get(t, bases[0], target)
	}
	await(t, "the answers in the level", func() bool { return members[0].fleet.Stats().Puts >= int64(len(targets)) })
	purges := func() (n int) {
		for _, p := range members {
			for _, e := range p.events.All() {
				if e.Kind == events.Purge {
					n++
				}
			}
		}
		return n
	}
	var all sync.WaitGroup
	for i, target := range purged {
		all.Go(func() { post(t, bases[i%2], "/cache/purge", fmt.Sprintf(`{"path":%q,"hard":true}`, target)) })
	}
	all.Wait()
	await(t, "all purges on both members", func() bool { return purges() == 2*len(purged) })
	fills := func(base string, p *Proxy, targets []string) int64 {
		before := p.cache.Stats().Fills
		for _, target := range targets {
			get(t, base, target)
		}
		return p.cache.Stats().Fills - before
	}
	if n := fills(bases[1], members[1], rest); n != 0 {
		t.Errorf("%d of the answers that were not purged were filled anew", n)
	}
	if n := fills(bases[1], members[1], purged); n != int64(len(purged)) {
		t.Errorf("%d of the purged answers were filled anew", n)
	}
	await(t, "the new answers in the level", func() bool { return members[1].fleet.Stats().Puts >= int64(len(purged)) })
	added, more := join(t, 1, opts, db, url)
	steady(t, added)
	if n := fills(more[0], added[0], targets); n != 0 {
		t.Errorf("a new member filled %d answers anew", n)
	}
}

// TestActionsReachTheFleet: maintenance mode, a warm-up and a change of source on one member
// act on all members, also on a member that joins later, unless they are local. Each member
// shows all members.
func TestActionsReachTheFleet(t *testing.T) {
	opts, db := scratch(t)
	old := awayLegacy(t)
	opts.Legacy = old
	url := redisserver.Start(t).URL
	members, bases := join(t, 2, opts, db, url)
	a, b := members[0], members[1]
	for _, p := range members {
		await(t, "both members in the stats", func() bool {
			f := p.Stats().Fleet
			return f != nil && len(f.Members) == 2 && f.Members[0].Generation != "" && f.Members[0].Own != f.Members[1].Own && f.Members[1].Behind == nil
		})
	}
	post(t, bases[0], "/cache/maintenance", `{"on":true,"message":"an import"}`)
	await(t, "maintenance on the other member", func() bool { return b.maintenance.On() })
	if m := b.Maintenance(); m.Message != "an import" {
		t.Errorf("%+v", m)
	}
	late, _ := join(t, 1, opts, db, url)
	await(t, "maintenance on a new member", func() bool { return late[0].maintenance.On() })
	post(t, bases[1], "/cache/maintenance", `{"on":false}`)
	for _, p := range append(members, late...) {
		await(t, "the end of maintenance", func() bool { return !p.maintenance.On() })
	}
	post(t, bases[0], "/cache/maintenance", `{"on":true,"local":true}`)
	looked := b.generations.Status().Looked
	post(t, bases[0], "/cache/warm", `{"paths":["/teams/?season_year=2025&limit=7"]}`)
	await(t, "the warm-up on the other member", func() bool { return b.generations.Status().Looked > looked })
	if b.maintenance.On() || !a.maintenance.On() {
		t.Error("local maintenance mode is not local")
	}
	post(t, bases[0], "/cache/maintenance", `{"on":false}`)
	post(t, bases[0], "/cache/source", `{"source":"legacy","routes":["/teams/"]}`)
	await(t, "the source on the other member", func() bool { return b.origins.SourceOf(b.router.Of("/teams/")).String() == "legacy" })
	post(t, bases[1], "/cache/source", `{"reset":true}`)
	await(t, "the reset on the other member", func() bool { return a.origins.SourceOf(b.router.Of("/teams/")).String() == "store" })
}
