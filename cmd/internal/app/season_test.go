package app

import (
	"net/http"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/load/visitors"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// awaitSeason waits until the walk over the season of the published generation has ended in
// a state, and returns its status.
func (r *running) awaitSeason(t *testing.T, state string) *api.Season {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		g := r.proxy.Stats().Generation
		if s := &g.Warm.Season; g.ID != "" && !g.Warm.Warming && s.Generation == g.ID && s.State == state {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v; log:\n%s", g.Warm.Season, r.log)
		}
	}
}

// visit plays the visitors of the live pages, and fails for each answer that they do not
// expect. It returns the number of requests.
func (r *running) visit(t *testing.T, seed uint64, requests int) (n int) {
	t.Helper()
	c, err := visitors.Learn(t.Context(), http.DefaultClient, r.url(""), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := visitors.LearnPairs(t.Context(), http.DefaultClient, r.url(""), c); err != nil {
		t.Fatal(err)
	}
	mix := visitors.NewMix(c, seed, requests).Live()
	for v := mix.Next(); v != nil; v = mix.Next() {
		for _, q := range v.Requests {
			status, outcome, _, err := ask(http.DefaultClient, r.url(q.Target))
			if err != nil || !q.Expect.Right(status, false) {
				t.Fatalf("%s: %d %s, %v", q.Target, status, outcome, err)
			}
			n++
		}
	}
	return n
}

// With the season filled, all live pages are answered although the database is dead, also
// after a restart. With the database back only the answers that have changed are filled.
func TestSeason(t *testing.T) {
	db, err := mariadb.Start(mariadb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { db.Close() }()
	// Otherwise a killed server loses the last second.
	execute(t, rootOf(t, db), "SET GLOBAL innodb_flush_log_at_trx_commit = 1", "CREATE TABLE written (n INT)", "INSERT INTO written VALUES (1)")
	flags, _ := keptSettings(t, db)
	flags["WARM"] = "season"
	r := run(t, flags)
	r.awaitSteady(t) // entries that were read while a table changed are filled again later
	all := r.awaitSeason(t, api.SeasonComplete)
	if all.Keys < 1000 || all.Done != all.Keys || all.Failed+all.LeftOut > 0 || all.Bytes != all.Needed {
		t.Errorf("%+v", all)
	}
	t.Logf("%+v", all)
	db.Kill()
	if n := r.visit(t, 1, 3000); n != 3000 {
		t.Errorf("%d requests", n)
	}
	if fills := r.proxy.Stats().Cache; fills.Failures > 0 {
		t.Errorf("requests began fills: %+v", fills)
	}
	r.finish(t)

	r = run(t, flags)
	r.awaitLog(t, "msg=serving")
	r.visit(t, 2, 3000)
	if err := db.Run(); err != nil {
		t.Fatal(err)
	}
	// A server that was restarted does not say when its tables changed, so that the answers
	// from a table without calculations, the résumés, are filled again.
	r.awaitSteady(t)
	again := r.awaitSeason(t, api.SeasonComplete)
	if again.Keys != all.Keys || again.Filled > all.Keys/4 {
		t.Errorf("after the restart: %+v", again)
	}
	scope := importer.Scope{Season: 2025, Division: 2030, Gender: "F"}
	if err := importer.Import(t.Context(), rootOf(t, db), scope, 1, importer.Options{}); err != nil {
		t.Fatal(err)
	}
	before := again.Generation
	r.await(t, "the import is published", func() bool { return r.proxy.Stats().Generation.ID != before })
	imported := r.awaitSeason(t, api.SeasonComplete)
	if imported.Filled == 0 || imported.Filled > all.Keys/2 || imported.Keys > all.Keys { // its teams have one conference
		t.Errorf("after the import: %+v", imported)
	}
	r.visit(t, 3, 300)
	r.finish(t)
}

// A season that has too little room ends with it, within CACHE_BYTES, and says how much is
// needed.
func TestSeasonWithoutRoom(t *testing.T) {
	flags := settings(database(t))
	flags["WARM"], flags["CACHE_BYTES"] = "season", "1MiB"
	r := run(t, flags)
	s := r.awaitSeason(t, api.SeasonFull)
	c := r.proxy.Stats().Cache
	if shelf := c.Shelves["season"]; s.LeftOut == 0 || s.Done+s.LeftOut != s.Keys || s.Needed < s.Bytes || shelf.Bytes > shelf.Budget || shelf.Entries == 0 || c.Bytes > 1<<20 {
		t.Errorf("%+v, %+v", s, c.Shelves)
	}
	r.awaitLog(t, "the season finds no room")
	r.finish(t)
}
