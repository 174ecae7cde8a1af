package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
)

// Import imports scopes, one after the other. AwaitPublish waits for the last of them.
func (l *Lab) Import(ctx context.Context, scopes ...importer.Scope) error {
	for _, s := range scopes {
		l.version++
		if err := importer.Import(ctx, l.Root, s, l.version, importer.Options{}); err != nil {
			return err
		}
	}
	return nil
}

// AwaitPublish polls until the last import is published.
func (l *Lab) AwaitPublish(ctx context.Context) error {
	want := importer.At(l.version).Format("2006-01-02T15:04:05")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		s, err := ask.ReadStats(ctx)
		warm := s.Generation.Warm
		switch {
		case err != nil:
			return err
		case warm.Calculated == want && !warm.Warming && warm.Failed > 0:
			return fmt.Errorf("version %d is published without %d answers", l.version, warm.Failed)
		case warm.Calculated == want && !warm.Warming:
			return nil
		}
	}
	return fmt.Errorf("version %d is not published", l.version)
}

// DatabaseLoad measures the share of a core that the database uses during the given time,
// eight times, and returns the least: now and then the proxy reads whole tables meanwhile.
func (l *Lab) DatabaseLoad(ctx context.Context, during time.Duration) (least float64, err error) {
	var file string
	if err := l.Root.QueryRowContext(ctx, "SELECT @@pid_file").Scan(&file); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	const times = 8
	for n := range times {
		before, err := machine.UsedBy(pid)
		if err != nil {
			return 0, err
		}
		time.Sleep(during)
		after, err := machine.UsedBy(pid)
		if err != nil {
			return 0, err
		}
		if share := after.Minus(before).Busy.Seconds() / during.Seconds(); n == 0 || share < least {
			least = share
		}
	}
	return least, nil
}

// ForgetConnections resets the peak of concurrent connections, once the database has closed
// the connections of a program that has ended.
func (l *Lab) ForgetConnections(ctx context.Context) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		open, err := l.Status(ctx, "THREADS_CONNECTED")
		if err != nil {
			return err
		}
		if open == 1 { // this program's
			_, err := l.Root.ExecContext(ctx, "FLUSH STATUS")
			return err
		}
	}
	return errors.New("connections of an earlier program stay open")
}

// Connections returns the peak of concurrent connections since ForgetConnections or FLUSH
// STATUS, without this program's own connection.
func (l *Lab) Connections(ctx context.Context) (int64, error) {
	most, err := l.Status(ctx, "MAX_USED_CONNECTIONS")
	return most - 1, err // one is this program's
}

// Profiles returns n pages of single athletes, each athlete in three spellings with
// distinct keys.
func (l *Lab) Profiles(ctx context.Context, n int) (targets []string, err error) {
	rows, err := l.Root.QueryContext(ctx, `SELECT anet_athlete_hnd, season_year, gender_code, division_code
		FROM iz_rankings_xcri_athlete_rankings WHERE checkpoint_date IS NULL AND scoring_group = 'division' AND algorithm_type = 'light'
		ORDER BY ranking_id LIMIT ?`, (n+2)/3)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var athlete, season, division int
		var gender string
		if err := rows.Scan(&athlete, &season, &gender, &division); err != nil {
			return nil, err
		}
		target := fmt.Sprintf("/athletes/%d?season_year=%d", athlete, season)
		targets = append(targets, target, target+"&gender="+gender, fmt.Sprintf("%s&division=%d", target, division))
	}
	return targets[:min(n, len(targets))], rows.Err()
}

// Script writes a wrk script that requests targets one after the other.
func (l *Lab) Script(targets []string) (file string, err error) {
	file = filepath.Join(l.Dir, "targets.lua")
	// wrk sets the headers only before it calls init.
	lua := fmt.Sprintf(`local all, i = {}, 0
function init()
	for line in io.lines(%q) do all[#all+1] = wrk.format("GET", line) end
end
function request()
	i = i %% #all + 1
	return all[i]
end
`, file+".txt")
	if err := os.WriteFile(file+".txt", []byte(strings.Join(targets, "\n")), 0o600); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, []byte(lua), 0o600)
}

// Log empties the general log of the database and switches it on, until Unlog.
func (l *Lab) Log(ctx context.Context) error {
	return l.SQL(ctx, "SET GLOBAL log_output = 'TABLE'; TRUNCATE mysql.general_log; SET GLOBAL general_log = ON")
}

// Unlog switches the general log off.
func (l *Lab) Unlog(ctx context.Context) error { return l.SQL(ctx, "SET GLOBAL general_log = OFF") }

// Reads returns the number of statements in the general log, and of them the reads of rows
// for answers. The others set up a session, check the account's rights to the tables, or read
// the generation.
func (l *Lab) Reads(ctx context.Context) (all, answers int, err error) {
	err = l.Root.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(argument LIKE '% FROM %iz\_%' AND NOT argument LIKE '%information\_schema%'
		AND NOT argument LIKE 'SELECT 1 FROM % LIMIT 0' AND NOT argument LIKE '%FROM iz\_rankings\_xcri\_calculation\_metadata%'), 0)
		FROM mysql.general_log WHERE command_type IN ('Query', 'Execute') AND argument NOT LIKE '%general\_log%'`).Scan(&all, &answers)
	return all, answers, err
}
