// Package alone measures the rows of the proxy with its database, without another
// server beside it.
package alone

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
)

// sameRows is the proxy's SELECT for a whole list.
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

// Cold measures fills of the largest division's list and the mariadb client's SELECT
// of the same rows, in turn.
func Cold(ctx context.Context, l *lab.Lab) error {
	p, err := l.StartProxy(ctx, "")
	if err != nil {
		return err
	}
	defer p.Stop()
	var fills, selects []float64
	for i := range l.Repeats() + 1 {
		begun := time.Now()
		// Another limit makes another key for the same rows.
		if _, err := ask.Get(ctx, ask.Page(49999-i, 0)); err != nil {
			return err
		}
		fills = append(fills, time.Since(begun).Seconds())
		begun = time.Now()
		if err := l.SQL(ctx, sameRows); err != nil {
			return err
		}
		selects = append(selects, time.Since(begun).Seconds())
	}
	fills, selects = fills[1:], selects[1:] // the first warms up
	l.Reports.Add(report.Row{Name: "cold whole list: time to the mariadb client's SELECT to /dev/null", Most: true, Bound: 2,
		Ours: report.Milliseconds(stats.Median(fills)), Other: report.Milliseconds(stats.Median(selects)), Samples: stats.Ratios(fills, selects)})
	return nil
}

// encoder is the package whose BenchmarkRows measures the encoding of rows.
const encoder = "./store/readapi"

var mbPerSecond = regexp.MustCompile(`BenchmarkRows/1000\S*\s.*?([0-9.]+) MB/s`)

// Encoding measures the encoding of rows as JSON. It takes the best of a few runs: other
// load on the machine can only make it slower.
func Encoding(ctx context.Context, l *lab.Lab) error {
	out, err := machine.Command(ctx, "go", "test", "-run", "^$", "-bench", "Rows/1000", "-count", "5", "-cpu", "1", encoder)
	if err != nil {
		return err
	}
	best := 0.0
	for _, match := range mbPerSecond.FindAllStringSubmatch(out, -1) {
		speed, _ := strconv.ParseFloat(match[1], 64)
		best = max(best, speed)
	}
	if best == 0 {
		return errors.New("go test -bench Rows " + encoder + " reports no MB/s")
	}
	l.Reports.Add(report.Row{Name: "JSON text of rows made on one core", Bound: 500, Unit: "MB/s", Ours: fmt.Sprintf("%.0f MB/s", best), Value: best})
	return nil
}
