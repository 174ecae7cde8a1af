// Package ahead measures the work that the proxy does ahead of requests: the answers of the
// season, and the smallest forms of large answers.
package ahead

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
)

// room are the settings that give the season of production's size room.
var room = []string{"WARM=season", "CACHE_BYTES=300MiB", "MEMORY_LIMIT=600MiB"}

const (
	megabyte = 1e6
	// longestWalk is the time after which a walk over the season is given up.
	longestWalk = 6 * time.Minute
	// deadRequests is the number of requests without a database.
	deadRequests, shortDead = 100_000, 10_000
)

// Season measures how long the answers about every athlete and team take to load after an
// import of all scopes, visitors while the database is dead, and a start with the saved
// answers.
func Season(ctx context.Context, l *lab.Lab) error {
	settings := append([]string{"CACHE_FILE=" + filepath.Join(l.Dir, "season.cache")}, room...)
	p, err := l.StartAt(ctx, ask.ProxyAddr, "", settings...)
	if err != nil {
		return err
	}
	defer func() { p.Stop() }()
	if _, err := complete(ctx, 0); err != nil {
		return fmt.Errorf("first walk: %w", err)
	}
	if err := imported(ctx, l, p); err != nil {
		return err
	}
	l.KillDatabase()
	dead, err := play(ctx, l, "--requests", fmt.Sprint(l.Count(deadRequests, shortDead)), "--seed", "5")
	p.Stop() // saves the answers
	if err == nil {
		err = restarted(ctx, l, settings, &p)
	}
	if err := l.RestartDatabase(); err != nil {
		return err
	}
	l.Reports.Add(report.Row{Name: "page mix of the live pages with the database dead: requests that failed", Most: true, Bound: 0, Unit: "requests",
		Value: float64(dead.Errors), Ours: report.Thousands(float64(dead.Requests)) + " requests, " + report.Thousands(dead.PerSecond) + "/s",
		Other: fmt.Sprintf("%.2f %% hits", 100*dead.HitRatio)})
	return err
}

// imported measures the walk after an import of all live scopes.
func imported(ctx context.Context, l *lab.Lab, p *machine.Service) error {
	version := 1000
	for _, division := range ask.Divisions {
		for _, gender := range ask.Genders {
			version++
			s := importer.Scope{Season: 2025, Division: division, Gender: gender}
			if err := importer.Import(ctx, l.Root, s, version, importer.Options{}); err != nil {
				return err
			}
		}
	}
	committed := time.Now()
	used, err := p.CPU()
	if err != nil {
		return err
	}
	s, err := complete(ctx, version)
	if err != nil {
		return err
	}
	took := time.Since(committed).Seconds()
	now, err := p.CPU()
	if err != nil {
		return err
	}
	rss, _, err := p.Resident()
	if err != nil {
		return err
	}
	season := s.Generation.Warm.Season
	l.Reports.Add(
		report.Row{Name: "season: from the commit of an import of all live scopes until all answers are hot", Most: true, Bound: 120, Unit: "s", Value: took,
			Ours:  report.Thousands(float64(season.Filled)) + " answers",
			Other: fmt.Sprintf("%.2f ms of the proxy's processor time each", now.Minus(used).Busy.Seconds()*1e3/float64(max(1, season.Filled)))},
		report.Row{Name: "season: answers that could not be loaded or have no room", Most: true, Bound: 0, Unit: "answers", Value: float64(season.Failed + season.LeftOut)},
		report.Row{Name: "season: memory of MEMORY_LIMIT (600MiB)", Most: true, Bound: 1.1, Value: float64(rss) / (600 << 20),
			Ours: fmt.Sprintf("%.1f MB", float64(rss)/megabyte), Other: fmt.Sprintf("%.1f MB of answers", float64(season.Bytes)/megabyte)})
	return nil
}

// restarted measures a start with the saved answers, while the database is dead.
func restarted(ctx context.Context, l *lab.Lab, settings []string, p **machine.Service) error {
	begun := time.Now()
	next, err := l.StartAt(ctx, ask.ProxyAddr, "", settings...)
	if err != nil {
		return err
	}
	*p = next
	s, err := ask.ReadStats(ctx)
	if err != nil {
		return err
	}
	took := time.Since(begun).Seconds()
	dead, err := play(ctx, l, "--requests", "5000", "--seed", "6")
	if err != nil {
		return err
	}
	l.Reports.Add(
		report.Row{Name: "start with the season from CACHE_FILE, until the first answer", Most: true, Bound: 5, Unit: "s", Value: took,
			Ours: report.Thousands(float64(s.Cache.Entries)) + " answers", Other: fmt.Sprintf("%.1f MB", float64(s.Cache.Bytes)/megabyte)},
		report.Row{Name: "page mix of the live pages after it, with the database dead: requests that failed", Most: true, Bound: 0, Unit: "requests",
			Value: float64(dead.Errors), Ours: report.Thousands(float64(dead.Requests)) + " requests"})
	return nil
}

// complete waits until a walk has loaded all answers of the calculations up to a version of
// an import, or if it is 0 of any.
func complete(ctx context.Context, version int) (s ask.Stats, err error) {
	want := importer.At(version).Format("2006-01-02T15:04:05")
	for deadline := time.Now().Add(longestWalk); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if s, err = ask.ReadStats(ctx); err != nil {
			return s, err
		}
		warm := s.Generation.Warm
		switch season := warm.Season; season.State {
		case "complete":
			if version == 0 || warm.Calculated == want && !warm.Warming && season.Generation == warm.Generation {
				return s, nil
			}
		case "", "filling":
		default:
			return s, fmt.Errorf("the season is %s: %s", season.State, season.Error)
		}
	}
	return s, fmt.Errorf("the season is not complete after %v", longestWalk)
}
