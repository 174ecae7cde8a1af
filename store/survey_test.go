package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// account makes an account with these rights on a database, and returns a store that
// uses it.
func account(t *testing.T, database string, rights ...string) *store.Store {
	t.Helper()
	root, name := scratch.Root(t, ""), fmt.Sprintf("surveyed%d", scratch.Number())
	scratch.Execute(t, root, "CREATE USER "+name+"@'%' IDENTIFIED BY 'secret'")
	t.Cleanup(func() { scratch.Execute(t, root, "DROP USER "+name+"@'%'") })
	for _, right := range rights {
		scratch.Execute(t, root, "GRANT "+right+" TO "+name+"@'%'")
	}
	srv := scratch.Server(t)
	s, err := store.Open(store.Options{Socket: srv.Socket, Name: database, User: name, Password: "secret", MaxConns: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestSurvey holds that privileges beyond reading are found, on tables, columns and the
// server alike, and that no password hash is part of the result.
func TestSurvey(t *testing.T) {
	for name, tt := range map[string]struct {
		rights []string
		beyond string
	}{
		"reads only": {[]string{"SELECT ON " + mariadb.Database + ".*", "PROCESS ON *.*"}, ""},
		"writes": {[]string{
			"SELECT, INSERT ON " + mariadb.Database + ".*", "UPDATE (team_rank, anet_team_hnd) ON " + mariadb.Database + "." + readapi.TeamTable, "RELOAD ON *.*",
		}, "INSERT RELOAD UPDATE"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := account(t, mariadb.Database, tt.rights...).Survey(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if beyond := strings.Join(got.Beyond(), " "); beyond != tt.beyond {
				t.Errorf("beyond reading: %q, want %q", beyond, tt.beyond)
			}
			if got.IsMariaDB() == mariadb.LongDeviations() || !strings.HasPrefix(got.Account, "surveyed") || got.Peak < 1 {
				t.Errorf("%+v", got)
			}
			if text := fmt.Sprint(got); strings.Contains(text, "PASSWORD") || strings.Contains(text, "*") && strings.Contains(text, "secret") {
				t.Errorf("%s shows the password", text)
			}
		})
	}
}

// TestTryEndpoints holds that each endpoint is tried, and that a missing column is
// found with the endpoints that need it, and no others.
func TestTryEndpoints(t *testing.T) {
	name, db := scratch.Sample(t)
	s := account(t, name, "SELECT ON "+name+".*")
	try := func() (failed []string) {
		tried := 0
		s.TryEndpoints(t.Context(), func(path string, err error) {
			tried++
			if err != nil {
				failed = append(failed, path)
				if !strings.Contains(err.Error(), "Unknown column") {
					t.Errorf("%s: %v", path, err)
				}
			}
		})
		if tried != len(store.Endpoints()) {
			t.Errorf("%d endpoints tried", tried)
		}
		return failed
	}
	if failed := try(); failed != nil {
		t.Errorf("failed: %q", failed)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	s.TryEndpoints(ended, func(path string, err error) { t.Errorf("%s is tried after the end of its caller: %v", path, err) })
	scratch.Execute(t, db, "ALTER TABLE "+readapi.ResumeTable+" DROP COLUMN season_html")
	if failed := try(); strings.Join(failed, " ") != "/teams/{team_hnd}/resume /team-five/{team_hnd}/resume" {
		t.Errorf("without season_html failed: %q", failed)
	}
}

// TestTryCancel holds that the server ends the statement of a cancelled read, and that
// a statement that can't start is an error.
func TestTryCancel(t *testing.T) {
	if err := account(t, mariadb.Database, "SELECT ON "+mariadb.Database+".*").TryCancel(t.Context()); err != nil {
		t.Error(err)
	}
	if err := account(t, "nowhere").TryCancel(t.Context()); err == nil || errors.Is(err, store.ErrNotEnded) {
		t.Errorf("without rights: %v", err)
	}
}
