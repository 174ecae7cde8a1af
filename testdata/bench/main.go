// Command bench measures the proxy on a database of production's size: how long
// a cold whole list takes beside the mariadb client's own SELECT of its rows,
// how much memory the live lists take, and how long after an import its data is
// published. It needs MariaDB and python3, builds the proxy from this checkout,
// and prints a table.
//
//	go run ./testdata/bench
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/testdata"
	"github.com/lewistv/xcri-proxy/testdata/importer"
	"github.com/lewistv/xcri-proxy/testdata/mariadb"
)

// rounds is how often each figure is measured; the table shows the median.
const rounds = 9

// addr is where the proxy listens.
const addr = "127.0.0.1:18080"

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "xcri-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	db, err := database(ctx, dir)
	if err != nil {
		return err
	}
	defer db.Close()
	stop, err := proxy(ctx, dir, db)
	if err != nil {
		return err
	}
	defer stop()
	if err := coldList(ctx, db); err != nil {
		return err
	}
	if err := liveLists(); err != nil {
		return err
	}
	return imports(ctx, db)
}

// database returns a server with generated data of production's size.
func database(ctx context.Context, dir string) (*mariadb.Server, error) {
	fmt.Fprintln(os.Stderr, "generating 467,000 athlete rows ...")
	data := filepath.Join(dir, "data")
	if err := command(ctx, "python3", "testdata/contract/generate.py", data, "--size", "full"); err != nil {
		return nil, err
	}
	db, err := mariadb.Start(mariadb.Options{Empty: true})
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, "loading ...")
	files, err := filepath.Glob(filepath.Join(data, "*.tsv"))
	if err != nil {
		return nil, err
	}
	statements := testdata.Schema()
	for _, f := range files {
		table := strings.TrimSuffix(filepath.Base(f), ".tsv")
		statements = append(statements,
			fmt.Sprintf("LOAD DATA LOCAL INFILE '%s' INTO TABLE %s CHARACTER SET utf8mb4", f, table), "ANALYZE TABLE "+table)
	}
	for _, s := range statements {
		if err := client(ctx, db, s); err != nil {
			db.Close()
			return nil, err
		}
	}
	return db, nil
}

// client runs a statement in the mariadb client and throws away what it prints.
func client(ctx context.Context, db *mariadb.Server, statement string) error {
	return command(ctx, "mariadb", "--no-defaults", "--local-infile=1", "-uroot", "-S", db.Socket, mariadb.Database, "-e", statement)
}

func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	var errors strings.Builder
	cmd.Stderr = &errors
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, errors.String())
	}
	return nil
}

// proxy builds and starts the proxy on db, and waits for its warm set.
func proxy(ctx context.Context, dir string, db *mariadb.Server) (stop func(), err error) {
	binary := filepath.Join(dir, "xcri-proxy")
	if err := command(ctx, "go", "build", "-o", binary, "./cmd/xcri-proxy"); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "serve", "--log-level", "warn")
	cmd.Env = append(os.Environ(), "LISTEN_ADDR="+addr, "DATABASE_SOCKET="+db.Socket, "DATABASE_NAME="+mariadb.Database,
		"DATABASE_USER="+mariadb.Reader, "DATABASE_PASSWORD="+mariadb.Password)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var s stats
		if s, err = readStats(); err == nil && s.Generation.Warm.Published > 0 {
			fmt.Printf("| the warm set at the start, %d answers | %.1f s |\n", s.Generation.Warm.Filled, s.Generation.Warm.Seconds)
			return stop, nil
		}
	}
	stop()
	return nil, errors.Join(errors.New("the proxy has no warm set after a minute"), err)
}

// get asks for a page and returns its size as it was sent.
func get(target string) (size int64, err error) {
	req, err := http.NewRequest("GET", "http://"+addr+target, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if size, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != 200 {
		err = errors.New(resp.Status)
	}
	return size, err
}

// sameRows is what the proxy asks for a whole list.
const sameRows = `SELECT r.ranking_id, r.season_year, r.division_code, r.gender_code, r.checkpoint_date, r.algorithm_type,
r.scoring_group, r.anet_athlete_hnd, r.athlete_name_first, r.athlete_name_last, r.anet_team_hnd, r.team_name, r.team_group_fk,
t.regl_group_name, t.conf_group_name, r.athlete_rank, r.xcri_score, r.races_count, r.season_average, r.best_performance,
r.most_recent_race_date, r.h2h_wins, r.h2h_losses, r.h2h_meetings, r.h2h_win_rate, r.min_opponent_quality,
r.avg_opponent_quality, r.scs_score, r.scs_rank, r.saga_score, r.saga_rank, r.sewr_score, r.sewr_rank, r.osma_score, r.osma_rank,
r.calculated_at, r.algorithm_version, r.processing_time_seconds
FROM iz_rankings_xcri_athlete_rankings r LEFT JOIN iz_rankings_xcri_team_rankings t ON t.anet_team_hnd = r.anet_team_hnd
AND t.season_year = r.season_year AND t.division_code = r.division_code AND t.gender_code = r.gender_code
AND t.checkpoint_date <=> r.checkpoint_date
WHERE r.season_year = 2025 AND r.division_code = 2030 AND r.gender_code = 'M' AND r.scoring_group = 'division'
AND r.checkpoint_date IS NULL AND r.algorithm_type = 'light' ORDER BY r.athlete_rank, r.ranking_id, t.ranking_id LIMIT 50000`

// coldList measures a fill of the largest division's list beside the mariadb
// client's SELECT of the same rows, in turn.
func coldList(ctx context.Context, db *mariadb.Server) error {
	var fills, selects []time.Duration
	for i := range rounds + 1 {
		start := time.Now()
		// Another limit is another entry with the same rows.
		if _, err := get("/athletes/?season_year=2025&division=2030&gender=M&limit=" + strconv.Itoa(50000-i)); err != nil {
			return err
		}
		fills = append(fills, time.Since(start))
		start = time.Now()
		if err := client(ctx, db, sameRows); err != nil {
			return err
		}
		selects = append(selects, time.Since(start))
	}
	fill, sel := median(fills[1:]), median(selects[1:]) // the first warms up
	fmt.Printf("| cold list of 3,900 rows, median of %d | %d ms |\n", rounds, fill.Milliseconds())
	fmt.Printf("| the mariadb client's SELECT of its rows to /dev/null | %d ms |\n", sel.Milliseconds())
	fmt.Printf("| ratio | %.2f |\n", float64(fill)/float64(sel))
	return nil
}

func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}

// liveLists asks for the 42 lists that the site shows, which are in the warm set,
// and prints what they take.
func liveLists() error {
	start := time.Now()
	lists, sent := 0, int64(0)
	for _, division := range []int{2030, 2031, 2032, 2028, 19781, 19782, 2034} {
		for _, gender := range []string{"M", "F"} {
			for _, target := range []string{
				fmt.Sprintf("/athletes/?season_year=2025&division=%d&gender=%s&limit=50000&offset=0", division, gender),
				fmt.Sprintf("/teams/?season_year=2025&division=%d&gender=%s&limit=50000&offset=0", division, gender),
				fmt.Sprintf("/team-knockout/?season_year=2025&rank_group_type=D&rank_group_fk=%d&gender_code=%s&limit=500&offset=0", division, gender),
			} {
				size, err := get(target)
				if err != nil {
					return fmt.Errorf("%s: %w", target, err)
				}
				lists, sent = lists+1, sent+size
			}
		}
	}
	took := time.Since(start)
	stats, err := readStats()
	if err != nil {
		return err
	}
	fmt.Printf("| %d live lists from the warm set, one after the other | %.2f s |\n", lists, took.Seconds())
	fmt.Printf("| sent for them as gzip | %.1f MB |\n", float64(sent)/1e6)
	fmt.Printf("| cache, in all their forms and with the %d lists before | %.1f MB |\n", rounds+1, float64(stats.Cache.Bytes)/1e6)
	fmt.Printf("| resident memory after that | %.0f MB |\n", float64(stats.Memory.RSS)/1e6)
	return nil
}

// stats is what the table needs of /cache/stats.
type stats struct {
	Cache      struct{ Bytes int64 }
	Memory     struct{ RSS int64 }
	Generation struct {
		Warm struct {
			Warming    bool
			Published  int64
			Calculated string `json:"calculated_at"`
			Filled     int
			Failed     int
			Seconds    float64
			Slowest    string
			SlowestFor float64 `json:"slowest_seconds"`
		}
	}
}

func readStats() (s stats, err error) {
	resp, err := http.Get("http://" + addr + "/cache/stats")
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

// imports measures how long after the commit of an import its warm set is
// published, for one division's men and for all divisions one after the other.
func imports(ctx context.Context, db *mariadb.Server) error {
	root, err := db.Root(mariadb.Database)
	if err != nil {
		return err
	}
	defer root.Close()
	var all []importer.Scope
	for _, division := range []int{2030, 2031, 2032, 2028, 19781, 19782, 2034} {
		for _, gender := range []string{"M", "F"} {
			all = append(all, importer.Scope{Season: 2025, Division: division, Gender: gender})
		}
	}
	version := 0
	for _, of := range []struct {
		what   string
		scopes []importer.Scope
	}{{"one division and gender", all[:1]}, {"all 14, one after the other", all}} {
		var total, warming []time.Duration
		var last stats
		for range rounds {
			for _, s := range of.scopes {
				version++
				if err := importer.Import(ctx, root, s, version, importer.Options{}); err != nil {
					return err
				}
			}
			committed := time.Now()
			s, err := awaitPublish(version)
			if err != nil {
				return err
			}
			total = append(total, time.Since(committed))
			warming = append(warming, time.Duration(s.Generation.Warm.Seconds*float64(time.Second)))
			last = s
		}
		middle, warm := median(total), last.Generation.Warm
		fmt.Printf("| import of %s: from the last commit to the publish, median and longest | %.2f s, %.2f s |\n",
			of.what, middle.Seconds(), total[len(total)-1].Seconds())
		fmt.Printf("| of that filling, median; at the end %d answers, the slowest %s %.2f s | %.2f s |\n",
			warm.Filled, warm.Slowest, warm.SlowestFor, median(warming).Seconds())
	}
	return nil
}

// awaitPublish returns once the calculation of that version is published.
func awaitPublish(version int) (stats, error) {
	want := importer.At(version).Format("2006-01-02T15:04:05")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		s, err := readStats()
		warm := s.Generation.Warm
		switch {
		case err != nil:
			return s, err
		case warm.Calculated == want && !warm.Warming && warm.Failed > 0:
			return s, fmt.Errorf("version %d is published without %d answers", version, warm.Failed)
		case warm.Calculated == want && !warm.Warming:
			return s, nil
		}
	}
	return stats{}, fmt.Errorf("version %d is not published", version)
}
