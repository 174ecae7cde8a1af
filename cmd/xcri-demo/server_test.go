package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/sirupsen/logrus"

	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// embedded is one filled database for all tests that only read.
var embedded = sync.OnceValues(func() (*database, error) {
	db, err := startDatabase()
	if err != nil {
		return nil, err
	}
	return db, db.Fill(context.Background(), func(string) {})
})

func TestMain(m *testing.M) {
	if os.Getenv(asDemo) != "" {
		main()
		return
	}
	logrus.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// connect returns one connection, set up as the proxy's are, that ends with the
// test.
func connect(t *testing.T, host string, port int, user, password string) *sql.Conn {
	t.Helper()
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = user, password, databaseName
	cfg.Net, cfg.Addr = "tcp", fmt.Sprintf("%s:%d", host, port)
	cfg.InterpolateParams = true
	cfg.Collation = "utf8mb4_general_ci"
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func connectEmbedded(t *testing.T) *sql.Conn {
	t.Helper()
	db, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	return connect(t, db.Host, db.Port, databaseUser, "")
}

// text returns the rows of a query, one in each line, or the error.
func text(ctx context.Context, conn *sql.Conn, query string, args ...any) string {
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return "error: " + err.Error()
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return "error: " + err.Error()
	}
	values := make([]sql.RawBytes, len(columns))
	places := make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	var b strings.Builder
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return "error: " + err.Error()
		}
		for _, v := range values {
			if v == nil {
				v = sql.RawBytes("NULL")
			}
			fmt.Fprintf(&b, "%s|", v)
		}
		b.WriteByte('\n')
	}
	if err := rows.Err(); err != nil {
		return "error: " + err.Error()
	}
	return b.String()
}

const (
	athletes = "iz_rankings_xcri_athlete_rankings"
	teams    = "iz_rankings_xcri_team_rankings"
	metadata = "iz_rankings_xcri_calculation_metadata"
	matchups = "iz_rankings_xcri_team_knockout_matchups"
	huge     = int64(1<<63 - 1)
)

// TestSameRowsAsMariaDB: the embedded server and MariaDB return the same text of every
// value for the kinds of queries that the proxy sends.
func TestSameRowsAsMariaDB(t *testing.T) {
	srv, err := mariadb.Start(mariadb.Options{})
	if errors.Is(err, mariadb.ErrMissing) {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	maria := connect(t, srv.Host, srv.Port, mariadb.Reader, mariadb.Password)
	demo := connectEmbedded(t)

	for _, table := range []string{"iz_athnet_teams", "iz_groups_season_resumes", athletes, metadata,
		"iz_rankings_xcri_scs_components", "iz_rankings_xcri_team_knockout", matchups, teams} {
		t.Run("all of "+table, func(t *testing.T) {
			sameRows(t, maria, demo, "SELECT * FROM "+table+" ORDER BY 1")
		})
	}

	joined := " FROM " + athletes + " a LEFT JOIN " + teams + " t ON t.anet_team_hnd = a.anet_team_hnd" +
		" AND t.season_year = a.season_year AND t.division_code = a.division_code AND t.gender_code = a.gender_code" +
		" AND t.checkpoint_date <=> a.checkpoint_date WHERE a.season_year = ? AND a.division_code = ?"
	opponent := "CASE WHEN team_a_id = ? THEN team_b_id ELSE team_a_id END"
	name := "SELECT COUNT(*) FROM " + athletes + " WHERE athlete_name_first LIKE ? OR athlete_name_last LIKE ? OR team_name LIKE ?"
	page := "SELECT metadata_id FROM " + metadata + " ORDER BY metadata_id LIMIT ? OFFSET ?"
	for _, test := range []struct {
		name, query string
		args        []any
	}{
		{"join where NULL matches NULL", "SELECT a.ranking_id, a.checkpoint_date, t.regl_group_name, t.conf_group_name" + joined +
			" ORDER BY a.athlete_rank, a.ranking_id, t.ranking_id LIMIT ? OFFSET ?", []any{2025, 2030, 100, 7}},
		{"count over that join", "SELECT COUNT(*)" + joined + " AND t.regl_group_name = ?", []any{2025, 2030, "West"}},
		{"NULL-safe comparison with a date", "SELECT COUNT(*) FROM " + athletes + " WHERE checkpoint_date <=> ?", []any{"2025-10-13"}},
		{"NULL-safe comparison with NULL", "SELECT COUNT(*) FROM " + athletes + " WHERE checkpoint_date <=> ?", []any{nil}},
		{"comparison with NULL", "SELECT COUNT(*) FROM " + athletes + " WHERE checkpoint_date = ?", []any{nil}},
		{"order by an expression", "SELECT matchup_id FROM " + matchups + " m WHERE m.team_a_id = ? OR m.team_b_id = ?" +
			" ORDER BY CASE WHEN m.team_a_id = ? THEN m.team_b_ko_rank ELSE m.team_a_ko_rank END, m.race_date DESC, m.matchup_id" +
			" LIMIT ? OFFSET ?", []any{20118, 20118, 20118, 50, 1}},
		{"conditional count", "SELECT COUNT(*), COUNT(CASE WHEN winner_team_id = ? THEN 1 END) FROM " + matchups +
			" WHERE ? IN (team_a_id, team_b_id)", []any{20118, 20118}},
		{"conditional count of nothing", "SELECT COUNT(CASE WHEN winner_team_id = ? THEN 1 END), SUM(team_a_score), MAX(race_date) FROM " +
			matchups + " WHERE matchup_id < 0", []any{20118}},
		{"group by a name of the select", "SELECT " + opponent + " AS opponent, COUNT(*) AS games FROM " + matchups +
			" WHERE ? IN (team_a_id, team_b_id) GROUP BY opponent HAVING games > 1 ORDER BY games DESC, opponent", []any{20118, 20118}},
		{"join of a table with itself", "SELECT a.matchup_id, b.matchup_id FROM " + matchups + " a JOIN " + matchups +
			" b ON a.race_hnd = b.race_hnd AND a.team_a_id = b.team_a_id AND a.matchup_id < b.matchup_id ORDER BY 1, 2", nil},
		{"concatenation with NULL", "SELECT ranking_id, CONCAT(athlete_name_first, ' ', athlete_name_last) FROM " + athletes + " ORDER BY 1", nil},
		{"distinct counts by group", "SELECT checkpoint_date, season_year, COUNT(DISTINCT division_code), COUNT(DISTINCT gender_code), COUNT(*) FROM " +
			athletes + " WHERE checkpoint_date IS NOT NULL GROUP BY checkpoint_date, season_year ORDER BY 1 DESC, 2", nil},
		{"sums", "SELECT SUM(total_athletes), SUM(processing_time_seconds), SUM(cache_hit_rate) FROM " + metadata, nil},
		{"least and greatest times", "SELECT MIN(calculated_at), MAX(calculated_at), MAX(checkpoint_date), COUNT(*), MAX(metadata_id) FROM " + metadata, nil},
		{"join with the newest of each group", "SELECT m.metadata_id FROM " + metadata + " m JOIN (SELECT division_code, gender_code," +
			" MAX(calculated_at) AS newest FROM " + metadata + " GROUP BY division_code, gender_code) n ON n.division_code = m.division_code" +
			" AND n.gender_code = m.gender_code AND n.newest = m.calculated_at ORDER BY 1", nil},
		{"search with an accent", name, []any{"%ñ%", "%ñ%", "%ñ%"}},
		{"search without the accent", name, []any{"%zoe%", "%zoe%", "%zoe%"}},
		{"search with a quote", name, []any{"%o'b%", "%o'b%", "%o'b%"}},
		{"search with wildcards", name, []any{"%_a%", "%%_%", "%%%"}},
		{"search with a backslash before the last wildcard", name, []any{`%St\%`, `%St\%`, `%St\%`}},
		{"search with an escaped wildcard", name, []any{`%\_%`, `%\%%`, `%\\%`}},
		{"search for an emoji", name, []any{"%🏃%", "%🏃%", "%🏃%"}},
		{"letters of the other case", "SELECT COUNT(*) FROM " + athletes + " WHERE gender_code = ? AND algorithm_type = ?", []any{"m", "LIGHT"}},
		{"no text", "SELECT COUNT(*) FROM " + athletes + " WHERE gender_code = ?", []any{""}},
		{"integer beyond a small column", "SELECT COUNT(*) FROM " + athletes + " WHERE season_year = ? OR division_code = ?", []any{huge, -huge}},
		{"integer beyond the primary key", "SELECT COUNT(*) FROM " + metadata + " WHERE metadata_id IN (?, ?)", []any{huge, -1}},
		{"at least a huge integer", "SELECT COUNT(*) FROM " + athletes + " WHERE races_count >= ?", []any{huge}},
		{"largest limit", page, []any{50000, 3}},
		// The sum of limit and offset must fit 64 bits here, but not in MariaDB.
		{"huge offset", page, []any{50000, huge / 2}},
	} {
		t.Run(test.name, func(t *testing.T) { sameRows(t, maria, demo, test.query, test.args...) })
	}
}

func sameRows(t *testing.T, maria, demo *sql.Conn, query string, args ...any) {
	t.Helper()
	want, got := text(t.Context(), maria, query, args...), text(t.Context(), demo, query, args...)
	if strings.HasPrefix(want, "error") {
		t.Fatalf("MariaDB: %s", want)
	}
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s\nrow %d is %q, MariaDB has %q", query, i+1, g[i], w[i])
		}
	}
	t.Fatalf("%s\n%d rows, MariaDB has %d", query, len(g)-1, len(w)-1)
}

// TestSession: the embedded server accepts the statements that the proxy sends to open
// a connection and a read.
func TestSession(t *testing.T) {
	conn := connectEmbedded(t)
	if got := text(t.Context(), conn, "SELECT VERSION()"); strings.Contains(got, "MariaDB") || strings.HasPrefix(got, "error") {
		t.Errorf("version %q: the proxy would set MariaDB's time limit, which this server does not know", got)
	}
	for _, s := range []string{"SET SESSION max_execution_time = 1000", "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"} {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for range 2 {
		tx, err := conn.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err := tx.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+metadata).Scan(&n); err != nil || n != 42 {
			t.Errorf("%d calculations, %v", n, err)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

func TestClose(t *testing.T) {
	d, err := startDatabase()
	if err != nil {
		t.Fatal(err)
	}
	db, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- d.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("an open connection holds Close up")
	}
	other, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.PingContext(t.Context()); err == nil {
		t.Error("still takes connections after Close")
	}
}

func TestFillStopsWithItsContext(t *testing.T) {
	d, err := startDatabase()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Fill(ctx, func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestNoIndexes(t *testing.T) {
	got := text(t.Context(), connectEmbedded(t), "SELECT table_name, index_name FROM information_schema.statistics WHERE table_schema = ?", databaseName)
	if got != "" {
		t.Errorf("indexes %s", got)
	}
}
