package ask

import (
	"context"
	"encoding/json"
	"fmt"
)

// Divisions and Genders are the scopes of the site's lists.
var (
	Divisions = []int{2030, 2031, 2032, 2028, 19781, 19782, 2034}
	Genders   = []string{"M", "F"}
)

// LiveLists returns the 42 lists of the site, with a limit that is lower than the
// site's by a number: each number makes other keys for the same rows.
func LiveLists(less int) (targets []string) {
	for _, d := range Divisions {
		for _, g := range Genders {
			targets = append(targets,
				fmt.Sprintf("/athletes/?season_year=2025&division=%d&gender=%s&limit=%d&offset=0", d, g, 50000-less),
				fmt.Sprintf("/teams/?season_year=2025&division=%d&gender=%s&limit=%d&offset=0", d, g, 50000-less),
				fmt.Sprintf("/team-knockout/?season_year=2025&rank_group_type=D&rank_group_fk=%d&gender_code=%s&limit=%d&offset=0", d, g, 500-less))
		}
	}
	return targets
}

// Page returns the target of a page of the largest list.
func Page(limit, offset int) string {
	return fmt.Sprintf("/athletes/?season_year=2025&division=2030&gender=M&limit=%d&offset=%d", limit, offset)
}

// SnapshotLists returns the lists of every snapshot.
func SnapshotLists(ctx context.Context) (targets []string, err error) {
	a, err := Get(ctx, "/snapshots/")
	if err != nil {
		return nil, err
	}
	text, err := a.Text()
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
		for _, d := range Divisions {
			for _, g := range Genders {
				for _, what := range []string{"athletes", "teams"} {
					targets = append(targets, fmt.Sprintf("/snapshots/%s/%s?division=%d&gender=%s&limit=50000", s.Date, what, d, g))
				}
			}
		}
	}
	return targets, nil
}
