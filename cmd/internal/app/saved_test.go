package app

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache/snapshot"
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

// keptSettings returns settings with a cache file.
func keptSettings(t *testing.T, db *mariadb.Server) (flags map[string]string, path string) {
	t.Helper()
	flags, path = settings(db), filepath.Join(t.TempDir(), "cache")
	flags["CACHE_FILE"], flags["GENERATION_POLL"] = path, "100ms"
	return flags, path
}

// warmed runs a proxy until it has published its warm set, stops it, and returns the
// saved keys.
func warmed(t *testing.T, flags map[string]string) (keys []string) {
	t.Helper()
	r := run(t, flags)
	r.awaitLog(t, "generation published")
	r.finish(t)
	return savedKeys(t, flags["CACHE_FILE"])
}

func savedKeys(t *testing.T, path string) (keys []string) {
	t.Helper()
	file, err := snapshot.Load(path, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range file.Entries {
		if s.Warm && s.Key != "/health" { // its answer is never cached
			keys = append(keys, s.Key)
		}
	}
	if len(keys) < 10 {
		t.Fatalf("few keys: %q", keys)
	}
	return keys
}

// finish stops the App and expects no error.
func (r *running) finish(t *testing.T) {
	t.Helper()
	r.stop()
	if err := r.wait(t); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// ask returns the status, outcome and body of an answer.
func ask(client *http.Client, url string) (status int, outcome, body string, err error) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return 0, "", "", err
	}
	req.Header.Set("Accept-Encoding", "gzip") // prevents decompression
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	_, outcome, _ = strings.Cut(resp.Header.Get("Cache-Status"), "detail=")
	return resp.StatusCode, outcome, string(text), err
}

// expect requests keys and compares the outcome of each with want.
func (r *running) expect(t *testing.T, keys []string, want func(key string) string) {
	t.Helper()
	for _, key := range keys {
		status, outcome, _, err := ask(http.DefaultClient, r.url(key))
		if status >= 500 || outcome != want(key) || err != nil {
			t.Errorf("%s: %d %s, %v; want %s", key, status, outcome, err, want(key))
		}
	}
}

func always(outcome string) func(string) string { return func(string) string { return outcome } }

func rootOf(t *testing.T, db *mariadb.Server) *sql.DB {
	t.Helper()
	root, err := db.Root(mariadb.Database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func execute(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// logged starts the database's query log and returns a function that lists the reads
// of rows for answers since: all reads but the session's, the generation's and the sums of
// tables, which a poll after the publish begins if the run before ended without them.
func logged(t *testing.T, root *sql.DB) (reads func() []string) {
	t.Helper()
	execute(t, root, "SET GLOBAL log_output = 'TABLE'", "SET GLOBAL general_log = ON", "TRUNCATE mysql.general_log")
	t.Cleanup(func() { execute(t, root, "SET GLOBAL general_log = OFF") })
	return func() (all []string) {
		rows, err := root.Query("SELECT LEFT(argument, 60) FROM mysql.general_log WHERE user_host LIKE '" + mariadb.Reader + "%'" +
			" AND command_type IN ('Query', 'Execute') AND argument LIKE 'SELECT%' AND argument NOT LIKE 'SELECT 1 FROM%' AND argument <> 'SELECT CONNECTION_ID()'" +
			" AND argument NOT LIKE '%FROM information_schema.%' AND argument NOT LIKE 'SELECT @@%'" +
			" AND argument NOT LIKE 'SELECT season_year, division_code, gender_code, checkpoint_date, COUNT(*)%'" +
			" AND argument NOT LIKE 'SELECT %, COUNT(*), SUM(CRC32(%'")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			all = append(all, text)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
}

// TestRestart holds that the warm entries of the last run are hits from the first
// request on, and that the proxy reads no rows from the database, only its generation.
func TestRestart(t *testing.T) {
	db := database(t)
	flags, path := keptSettings(t, db)
	first := run(t, flags)
	first.awaitLog(t, "generation published")
	bodies := map[string]string{}
	first.awaitLog(t, "cache saved")
	keys := savedKeys(t, path)
	for _, key := range keys {
		_, _, bodies[key], _ = ask(http.DefaultClient, first.url(key))
	}
	first.finish(t)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}

	reads := logged(t, rootOf(t, db))
	r := run(t, flags)
	for _, key := range keys {
		status, outcome, body, err := ask(http.DefaultClient, r.url(key))
		if status >= 500 || outcome != "hit" || body != bodies[key] || err != nil {
			t.Errorf("%s: %d %s, %d bytes instead of %d, %v", key, status, outcome, len(body), len(bodies[key]), err)
		}
	}
	r.awaitLog(t, "generation published")
	r.expect(t, keys, always("hit"))
	if seen := reads(); len(seen) > 0 {
		t.Errorf("the database was asked for rows: %q", seen)
	}
	r.awaitLog(t, "cache file loaded")
	r.finish(t)
}

// TestRestartAfterImport holds that after an import of one division between two runs
// its lists are stale until they are filled, and all other lists are hits.
func TestRestartAfterImport(t *testing.T) {
	db := database(t)
	flags, _ := keptSettings(t, db)
	keys := warmed(t, flags)
	list := keys[slices.IndexFunc(keys, func(key string) bool { return strings.HasPrefix(key, "/teams/?") })]
	target, err := url.Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	division, gender := target.Query().Get("division"), target.Query().Get("gender")
	root := rootOf(t, db)
	change := func(table, set, unset string) {
		where := fmt.Sprintf(" WHERE division_code = %s AND gender_code = '%s' AND checkpoint_date IS NULL", division, gender)
		execute(t, root, "UPDATE "+table+" SET "+set+where)
		t.Cleanup(func() { execute(t, root, "UPDATE "+table+" SET "+unset+where) })
	}
	change("iz_rankings_xcri_calculation_metadata", "calculated_at = calculated_at + INTERVAL 1 DAY", "calculated_at = calculated_at - INTERVAL 1 DAY")
	change("iz_rankings_xcri_team_rankings", "team_name = CONCAT(team_name, ' anew')", "team_name = LEFT(team_name, CHAR_LENGTH(team_name) - 5)")
	// The warm set is delayed until the first answers were checked.
	lock, err := root.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := lock.ExecContext(t.Context(), "LOCK TABLES iz_rankings_xcri_team_rankings WRITE, iz_rankings_xcri_athlete_rankings WRITE,"+
		" iz_rankings_xcri_team_knockout WRITE"); err != nil {
		t.Fatal(err)
	}
	changed := func(key string) bool {
		sameDivision := strings.Contains(key, "division="+division+"&") || strings.Contains(key, "rank_group_fk="+division+"&")
		sameGender := strings.Contains(key, "gender="+gender) || strings.Contains(key, "gender_code="+gender)
		return sameDivision && sameGender && !strings.HasPrefix(key, "/snapshots/")
	}
	lists := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !strings.Contains(key, "?") })
	r := run(t, flags)
	stale := 0
	r.expect(t, lists, func(key string) string {
		if changed(key) {
			stale++
			return "stale"
		}
		return "hit"
	})
	if stale < 3 || stale == len(lists) {
		t.Errorf("%d of %d lists stale", stale, len(lists))
	}
	if _, body := get(t, r.url(list)); strings.Contains(body, " anew") {
		t.Errorf("%s was read through a lock", list)
	}
	if _, err := lock.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	r.awaitLog(t, "generation published")
	r.expect(t, keys, always("hit"))
	if _, body := get(t, r.url(list)); !strings.Contains(body, " anew") {
		t.Errorf("%s has old rows: %.300s", list, body)
	}
	r.finish(t)
}

// TestRestartWhileDown holds that during an outage at the start warm entries are
// served unchanged, and all other requests are rejected immediately.
func TestRestartWhileDown(t *testing.T) {
	db, err := mariadb.Start(mariadb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { db.Close() }()
	// Otherwise a killed server loses the last second.
	execute(t, rootOf(t, db), "SET GLOBAL innodb_flush_log_at_trx_commit = 1", "CREATE TABLE written (n INT)", "INSERT INTO written VALUES (1)")
	flags, path := keptSettings(t, db)
	keys := warmed(t, flags)
	for name, how := range map[string]struct{ down, up func() }{
		"gone": {db.Kill, func() {
			if err := db.Run(); err != nil {
				t.Fatal(err)
			}
		}},
		"silent": {func() { db.Signal(syscall.SIGSTOP) }, func() { db.Signal(syscall.SIGCONT) }},
	} {
		t.Run(name, func(t *testing.T) {
			how.down()
			start := time.Now()
			r := run(t, flags)
			r.expect(t, keys[:1], always("stale_error"))
			t.Logf("first answer after %v", time.Since(start))
			r.expect(t, keys, always("stale_error"))
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("took %v", took)
			}
			// Rejected without a fill, which would wait for the database.
			before := r.proxy.Stats().Cache
			status, _ := get(t, r.url("/teams/?season_year=2025&limit=3"))
			if after := r.proxy.Stats().Cache; status != 503 || after.Fills != before.Fills || after.Failures != before.Failures || after.Filling != 0 {
				t.Errorf("a key that was not saved: %d, with %+v fills before and %+v after", status, before, after)
			}
			how.up()
			r.awaitLog(t, "generation published")
			r.expect(t, keys, always("hit"))
			r.finish(t)
			savedKeys(t, path)
		})
	}
}

// TestDamagedFile holds that an unusable cache file is logged, ignored, and replaced
// by a valid file.
func TestDamagedFile(t *testing.T) {
	flags, path := keptSettings(t, database(t))
	keys := warmed(t, flags)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(good)
	damaged[len(damaged)/2]++
	for why, content := range map[string][]byte{
		"damaged cache file": damaged, "not a cache file": []byte("something else"), "the first line": nil,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		r := run(t, flags)
		r.awaitLog(t, "cache file ignored")
		if !strings.Contains(r.log.String(), why) {
			t.Errorf("no %q in the log:\n%s", why, r.log)
		}
		r.awaitLog(t, "generation published")
		r.expect(t, keys, always("hit"))
		r.finish(t)
		savedKeys(t, path)
	}
}

// TestFileOfAnotherProgram holds that entries of another version are served as stale
// until they are refreshed, even if their rows never change in the database.
func TestFileOfAnotherProgram(t *testing.T) {
	flags, path := keptSettings(t, database(t))
	warmed(t, flags)
	r := run(t, flags)
	r.awaitLog(t, "generation published")
	if _, err := r.proxy.Save(path, "test"); err != nil {
		t.Fatal(err)
	}
	r.finish(t)
	saved, _ := load(r.cfg, "test", r.App.log)
	other, _ := load(r.cfg, "another", r.App.log)
	if len(saved) == 0 || len(saved) != len(other) {
		t.Fatalf("%d and %d entries", len(saved), len(other))
	}
	for i := range saved {
		if saved[i].Purged || !other[i].Purged {
			t.Errorf("%s: purged %t and %t", saved[i].Key, saved[i].Purged, other[i].Purged)
		}
	}
}

// TestFileOfOtherColumns holds that entries without a column of the current
// EXTRA_COLUMNS are stale.
func TestFileOfOtherColumns(t *testing.T) {
	plain, extra := config.Database{}, config.Database{ExtraColumns: []string{"teams.national_rank"}}
	if makerOf("v1", plain) != "v1" || makerOf("v1", extra) == makerOf("v1", plain) || makerOf("v1", extra) == makerOf("v2", extra) {
		t.Errorf("%q and %q", makerOf("v1", plain), makerOf("v1", extra))
	}
}

// TestCannotSave holds that a missing folder is logged and does not stop the proxy.
func TestCannotSave(t *testing.T) {
	flags, _ := keptSettings(t, database(t))
	flags["CACHE_FILE"] = filepath.Join(t.TempDir(), "nowhere", "cache")
	r := run(t, flags)
	r.awaitLog(t, "no cache file yet")
	r.awaitLog(t, "cache not saved")
	if status, _ := get(t, r.url("/teams/")); status != 200 {
		t.Errorf("status %d", status)
	}
	r.finish(t)
}

// TestRestartUnderLoad holds that after a restart on the same address, under load of
// all warm keys, every answer is a hit, including the first answer to each key.
func TestRestartUnderLoad(t *testing.T) {
	flags, _ := keptSettings(t, database(t))
	flags["LISTEN_ADDR"] = port.Address(t)
	keys := warmed(t, flags)
	r := run(t, flags)
	r.awaitLog(t, "generation published")
	base := r.url("")

	type seen struct {
		status  int
		outcome string
	}
	var mu sync.Mutex
	answers := map[seen]int{}
	after := map[string]string{} // the first outcome of each key after the restart
	restarted := false
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for n := range 8 {
		client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
		clients.Go(func() {
			defer client.CloseIdleConnections()
			for i := n; ctx.Err() == nil; i++ {
				key := keys[i%len(keys)]
				mu.Lock()
				again := restarted
				mu.Unlock()
				status, outcome, _, err := ask(client, base+key)
				if err != nil {
					time.Sleep(time.Millisecond) // no process listens during the restart
					continue
				}
				mu.Lock()
				answers[seen{status, outcome}]++
				if _, known := after[key]; again && !known {
					after[key] = outcome
				}
				mu.Unlock()
			}
		})
	}
	for range 3 {
		r.finish(t)
		mu.Lock()
		restarted = true
		mu.Unlock()
		r = restart(t, flags, r)
		r.awaitLog(t, "generation published")
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			mu.Lock()
			done := len(after) == len(keys)
			mu.Unlock()
			if done {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d keys asked for", len(after), len(keys))
			}
		}
		mu.Lock()
		for key, outcome := range after {
			if outcome != "hit" {
				t.Errorf("%s: first %s", key, outcome)
			}
		}
		clear(after)
		restarted = false
		mu.Unlock()
	}
	stop()
	clients.Wait()
	for s, n := range answers {
		if s.status >= 500 || s.outcome != "hit" {
			t.Errorf("%d answers %v", n, s)
		}
	}
	t.Logf("%d keys, answers: %v", len(keys), answers)
	r.finish(t)
}

// restart runs the next App. It retries until the address of the last App is free.
func restart(t *testing.T, flags map[string]string, last *running) *running {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		ln, err := net.Listen("tcp", last.Addr().String())
		if err == nil {
			ln.Close()
			return run(t, flags)
		}
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
