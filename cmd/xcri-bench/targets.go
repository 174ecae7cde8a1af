package main

import (
	"context"
	"encoding/json"
	"fmt"
)

var (
	divisions = []int{2030, 2031, 2032, 2028, 19781, 19782, 2034}
	genders   = []string{"M", "F"}
)

// liveLists returns the 42 lists of the site, with a limit that is lower than the
// site's by a number: each number makes other keys for the same rows.
func liveLists(less int) (targets []string) {
	for _, d := range divisions {
		for _, g := range genders {
			targets = append(targets,
				fmt.Sprintf("/athletes/?season_year=2025&division=%d&gender=%s&limit=%d&offset=0", d, g, 50000-less),
				fmt.Sprintf("/teams/?season_year=2025&division=%d&gender=%s&limit=%d&offset=0", d, g, 50000-less),
				fmt.Sprintf("/team-knockout/?season_year=2025&rank_group_type=D&rank_group_fk=%d&gender_code=%s&limit=%d&offset=0", d, g, 500-less))
		}
	}
	return targets
}

// page returns the target of a page of the largest list.
func page(limit, offset int) string {
	return fmt.Sprintf("/athletes/?season_year=2025&division=2030&gender=M&limit=%d&offset=%d", limit, offset)
}

// snapshotLists returns the lists of every snapshot.
func snapshotLists(ctx context.Context) (targets []string, err error) {
	a, err := get(ctx, "/snapshots/")
	if err != nil {
		return nil, err
	}
	text, err := a.text()
	if err != nil {
		return nil, err
	}
	var all struct {
		Snapshots []struct {
			Date string
		}
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("/snapshots/: %w", err)
	}
	for _, s := range all.Snapshots {
		for _, d := range divisions {
			for _, g := range genders {
				for _, what := range []string{"athletes", "teams"} {
					targets = append(targets, fmt.Sprintf("/snapshots/%s/%s?division=%d&gender=%s&limit=50000", s.Date, what, d, g))
				}
			}
		}
	}
	return targets, nil
}

// profiles returns n pages of single athletes, each athlete in three spellings with
// distinct keys.
func (l *lab) profiles(ctx context.Context, n int) (targets []string, err error) {
	rows, err := l.root.QueryContext(ctx, `SELECT anet_athlete_hnd, season_year, gender_code, division_code
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
