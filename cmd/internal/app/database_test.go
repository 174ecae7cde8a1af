package app

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/relay"
)

// limitedAccount creates a reader with an account option such as
// MAX_USER_CONNECTIONS 2 and returns settings that use it.
func limitedAccount(t *testing.T, name, option string) (map[string]string, *sql.DB) {
	t.Helper()
	db := database(t)
	root, err := db.Root("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	for _, statement := range []string{
		"CREATE USER " + name + "@'%' IDENTIFIED BY '" + mariadb.Password + "' " + option,
		"GRANT SELECT ON " + mariadb.Database + ".* TO " + name + "@'%'",
	} {
		if _, err := root.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { root.Exec("DROP USER " + name + "@'%'") })
	flags := settings(db)
	flags["DATABASE_USER"] = name
	return flags, root
}

// If an account may open fewer connections than DATABASE_MAX_CONNS, every request is
// served over the available connections, and the log reports it once.
func TestServesWithFewerConnectionsThanConfigured(t *testing.T) {
	for most := 1; most <= 2; most++ {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			flags, _ := limitedAccount(t, fmt.Sprintf("limited%d", most), fmt.Sprintf("WITH MAX_USER_CONNECTIONS %d", most))
			flags["SLOW_FILL"], flags["SLOW_REQUEST"] = "0s", "0s"    // fills are slow with so little, and not the lines that count
			flags["WAIT_TIMEOUT"], flags["FILL_TIMEOUT"] = "1m", "1m" // of a machine that has other work, too
			r := run(t, flags)
			r.awaitLog(t, "generation published")
			var all sync.WaitGroup
			for i := range 30 {
				all.Go(func() {
					if status, body := get(t, r.url(fmt.Sprintf("/teams/?season_year=2025&limit=%d", 20+i))); status != 200 {
						t.Errorf("request %d: %d %s", i, status, body)
					}
				})
			}
			all.Wait()
			r.awaitLog(t, "DATABASE_MAX_CONNS")
			r.stop()
			if err := r.wait(t); err != nil {
				t.Error(err)
			}
			log := r.log.String()
			if n := strings.Count(log, "DATABASE_MAX_CONNS;"); n != 1 {
				t.Errorf("%d lines name the limit", n)
			}
			if strings.Contains(log, "origin is down") || strings.Count(log, "\n") > 20 {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

// While a database refuses the proxy, saved entries are served as stale. The log names
// the settings to check. Once the database accepts the proxy, it works normally.
func TestServesSavedEntriesWhileRefused(t *testing.T) {
	flags, root := limitedAccount(t, "refused", "")
	flags["CACHE_FILE"], flags["GENERATION_POLL"] = filepath.Join(t.TempDir(), "cache"), "100ms"
	keys := warmed(t, flags)
	flags["DATABASE_PASSWORD"] = "another secret"
	r := run(t, flags)
	r.awaitLog(t, `"the database refuses the proxy: serving saved entries`)
	for _, key := range keys {
		resp, err := http.Get(r.url(key))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Cache-Status"); resp.StatusCode/100 == 5 || !strings.Contains(got, "detail=stale_error") {
			t.Errorf("%s: status %d, %s", key, resp.StatusCode, got)
		}
	}
	if status, _ := get(t, r.url("/readyz")); status != http.StatusOK {
		t.Errorf("ready: status %d", status)
	}
	if _, err := root.Exec("ALTER USER refused@'%' IDENTIFIED BY 'another secret'"); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; <-time.After(10 * time.Millisecond) {
		resp, err := http.Get(r.url(keys[0]))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if strings.Contains(resp.Header.Get("Cache-Status"), "detail=hit") {
			break
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("still %s", resp.Header.Get("Cache-Status"))
		}
	}
	r.finish(t)
	if log := r.log.String(); !strings.Contains(log, "DATABASE_PASSWORD") || strings.Contains(log, "another secret") || strings.Count(log, "\n") > 40 {
		t.Errorf("log:\n%s", log)
	}
}

// Concurrent refusals are logged in one line, and each lower number in another line.
func TestRoomLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &proxytest.Log{}
		r := &roomLog{log: slog.New(slog.NewTextHandler(log, nil))}
		lines := func(want int) {
			t.Helper()
			time.Sleep(2 * roomSettles)
			synctest.Wait()
			if n := strings.Count(log.String(), "\n"); n != want {
				t.Errorf("%d lines, want %d:\n%s", n, want, log)
			}
		}
		for granted := 7; granted > 2; granted-- {
			r.note(store.Room{Wanted: 8, Granted: granted})
		}
		lines(1)
		if !strings.Contains(log.String(), "granted=3 wanted=8") {
			t.Error(log)
		}
		r.note(store.Room{Wanted: 8, Granted: 3})
		r.note(store.Room{Wanted: 8, Granted: 4})
		lines(1)
		r.note(store.Room{Wanted: 8, Granted: 2})
		lines(2)
		r.note(store.Room{Wanted: 8, Granted: 5})
		lines(2)
		time.Sleep(roomEvery)
		r.note(store.Room{Wanted: 8, Granted: 5})
		lines(3)
	})
}

// A fill that holds the only connection for longer than a poll's timeout is not an
// outage: other entries stay hits, and the next poll gets the connection.
func TestOneConnectionIsEnough(t *testing.T) {
	db := database(t)
	root, err := db.Root(mariadb.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	flags := settings(db)
	flags["DATABASE_MAX_CONNS"], flags["GENERATION_POLL"] = "1", "100ms"
	r := run(t, flags)
	r.awaitLog(t, "generation published")
	lock, err := root.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := lock.ExecContext(t.Context(), "LOCK TABLES iz_rankings_xcri_team_rankings WRITE"); err != nil {
		t.Fatal(err)
	}
	answered := make(chan int, 1)
	go func() {
		status, _ := get(t, r.url("/teams/?season_year=2025&limit=7"))
		answered <- status
	}()
	// Polls wait for the fill's connection until they time out.
	before := r.store.Stats().Waits
	for deadline := time.Now().Add(time.Minute); r.store.Stats().Waits < before+3; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no poll waits: %+v", r.store.Stats())
		}
	}
	if _, outcome, _, err := ask(http.DefaultClient, r.url("/metadata/latest")); outcome != "hit" || err != nil {
		t.Errorf("an entry is a %s beside a slow fill, %v", outcome, err)
	}
	if _, err := lock.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	if status := <-answered; status != 200 {
		t.Errorf("the slow answer: %d", status)
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
	if log := r.log.String(); strings.Contains(log, "is down") {
		t.Errorf("an outage:\n%s", log)
	}
}

// The error that ends the program names the settings that belong to its reason.
func TestAdvice(t *testing.T) {
	for name, tt := range map[string]struct {
		option string
		change map[string]string
		want   []string
	}{
		"a locked account":              {"ACCOUNT LOCK", nil, []string{"locked", "DATABASE_USER"}},
		"a wrong password":              {"", map[string]string{"DATABASE_PASSWORD": "x"}, []string{"DATABASE_PASSWORD", "DATABASE_SOCKET", "host part", "advised"}},
		"a wrong password, on a socket": {"", map[string]string{"DATABASE_PASSWORD": "x", "DATABASE_SOCKET": database(t).Socket}, []string{"DATABASE_PASSWORD", "host part", "localhost"}},
		"no TLS at the server":          {"", map[string]string{"DATABASE_TLS": "required"}, []string{"DATABASE_TLS", "no TLS"}},
		"a missing database":            {"", map[string]string{"DATABASE_NAME": "nowhere"}, []string{"DATABASE_NAME", "rights"}},
	} {
		t.Run(name, func(t *testing.T) {
			flags, _ := limitedAccount(t, fmt.Sprintf("advised%d", number.Add(1)), tt.option)
			maps.Copy(flags, tt.change)
			err := run(t, flags).wait(t)
			if !errors.Is(err, store.ErrSetup) {
				t.Fatalf("got %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %s", err, want)
				}
			}
		})
	}
	for _, reason := range []store.Reason{store.NeedsTLS, store.BadCertificate} {
		if advice := adviceFor(reason, false); !strings.Contains(advice, "DATABASE_TLS") || strings.Contains(advice, "DATABASE_PASSWORD") {
			t.Errorf("%d: %s", reason, advice)
		}
	}
}

var number atomic.Int64

// Columns of a table that no list shows are logged at the start. EXTRA_COLUMNS adds
// them to the lists.
func TestUnshownColumnsAreLogged(t *testing.T) {
	db := database(t)
	root, err := db.Root(mariadb.Database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	alter := func(change string) {
		if _, err := root.Exec("ALTER TABLE iz_rankings_xcri_team_rankings " + change); err != nil {
			t.Error(err)
		}
	}
	alter("ADD national_rank INT NOT NULL DEFAULT 3, ADD other_rank INT NULL")
	t.Cleanup(func() { alter("DROP national_rank, DROP other_rank") })
	flags := settings(db)
	r := run(t, flags)
	r.awaitLog(t, `columns="national_rank other_rank"`)
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
	flags["EXTRA_COLUMNS"] = "teams.national_rank"
	r = run(t, flags)
	r.awaitLog(t, "columns=other_rank")
	if status, body := get(t, r.url("/teams/?season_year=2025&limit=1")); status != 200 || !strings.Contains(body, `"national_rank":3}`) {
		t.Errorf("%d %s", status, body)
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

// awaitSteady waits until no table changes, and the warm set and every publish for a change
// have ended: the rows that a test has just loaded make entries stale once.
func (r *running) awaitSteady(t *testing.T) {
	t.Helper()
	unchanged := func() (published int64, ok bool) {
		g := r.proxy.Stats().Generation
		changes := slices.ContainsFunc(g.Tables, func(of api.Table) bool { return of.Changing != nil })
		return g.Warm.Published, g.Warm.Published > 0 && !g.Warm.Warming && len(g.Tables) > 0 && !changes
	}
	steady := func() bool {
		begun := time.Now()
		published, ok := unchanged()
		if !ok {
			return false
		}
		// A publish for a change is part of the poll that has seen the change.
		r.await(t, "a further poll", func() bool {
			at := r.proxy.Stats().Generation.Confirmed
			return at != nil && at.After(begun)
		})
		again, ok := unchanged()
		return ok && again == published
	}
	r.await(t, "steady tables", steady)
}

// await waits until holds returns true, or fails the test with the log.
func (r *running) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s; log:\n%s", what, r.log)
		}
	}
}

// Failures of single connections are not an outage: requests get their answers, and
// cached entries stay hits.
func TestLostConnectionsAreNoOutage(t *testing.T) {
	db := database(t)
	root, err := db.Root("")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	way := relay.Start(t, "127.0.0.1:0", net.JoinHostPort(db.Host, strconv.Itoa(db.Port)))
	flags, _ := limitedAccount(t, fmt.Sprintf("lost%d", number.Add(1)), "")
	host, port := way.Addr()
	flags["DATABASE_HOST"], flags["DATABASE_PORT"], flags["GENERATION_POLL"] = host, strconv.Itoa(port), "100ms"
	r := run(t, flags)
	r.awaitSteady(t)
	defer func() {
		if t.Failed() {
			t.Logf("log:\n%s", r.log)
		}
	}()
	next := 0
	load := func(what string) {
		t.Helper()
		var all sync.WaitGroup
		for range 12 {
			next++
			path := fmt.Sprintf("/teams/?season_year=2025&limit=%d", 100+next)
			all.Go(func() {
				if status, body := get(t, r.url(path)); status != 200 {
					t.Errorf("%s: %s is %d %s", what, path, status, body)
				}
				if _, outcome, _, err := ask(http.DefaultClient, r.url("/metadata/latest")); outcome != "hit" || err != nil {
					t.Errorf("%s: a warm entry is a %s, %v", what, outcome, err)
				}
			})
		}
		all.Wait()
	}
	load("before")
	way.Cut()
	load("all connections reset")
	way.Freeze()
	load("all connections hang, new connections work")
	ids := connectionsOf(t, root, flags["DATABASE_USER"])
	for _, id := range ids {
		root.Exec(fmt.Sprint("KILL ", id)) // an error means that it has ended
	}
	load("all connections killed")
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
	if log := r.log.String(); strings.Contains(log, "is down") || len(ids) == 0 {
		t.Errorf("%d connections killed, log:\n%s", len(ids), log)
	}
}

// connectionsOf returns the IDs of an account's connections to the server.
func connectionsOf(t *testing.T, root *sql.DB, account string) (ids []int64) {
	t.Helper()
	rows, err := root.Query("SELECT id FROM information_schema.processlist WHERE user = ?", account)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return ids
}
