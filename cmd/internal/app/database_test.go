package app

import (
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"log/slog"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
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

// An account that may open fewer connections than DATABASE_MAX_CONNS serves
// every request over the ones it has, and the log says so once.
func TestServesWithFewerConnectionsThanConfigured(t *testing.T) {
	for most := 1; most <= 2; most++ {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			flags, _ := limitedAccount(t, fmt.Sprintf("limited%d", most), fmt.Sprintf("WITH MAX_USER_CONNECTIONS %d", most))
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

// Refusals that come together are one line, and each lower number is another.
func TestRoomLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lockedBuffer{}
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
