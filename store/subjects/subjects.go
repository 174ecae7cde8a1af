// Package subjects lists the athletes, teams and pairs of teams that questions about a live
// scope can name, the best ranked first.
package subjects

import (
	"database/sql/driver"
	"slices"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/scope"
)

// Subjects are the subjects of a live scope. They must not be changed.
type Subjects struct {
	Athletes  []int64 // handles, by rank
	Teams     []int64 // handles, by rank
	Knockouts []int64 // teams with a head-to-head rank, by that rank
	// Pairs are teams that have met, the lower identifier first, by the better of their
	// head-to-head ranks.
	Pairs [][2]int64
	// Regions and Conferences of the teams, by the rank of the best team.
	Regions, Conferences []string
}

// ranked are the conditions on the rankings that the site shows.
const ranked = " WHERE r.season_year = ? AND r.division_code = ? AND r.gender_code = ? AND r.checkpoint_date IS NULL" +
	" AND r.algorithm_type = 'light' AND r.scoring_group = 'division'"

// played are the conditions on the head-to-head rankings and the games that the site shows.
const played = " WHERE r.season_year = ? AND r.rank_group_type = 'D' AND r.rank_group_fk = ? AND r.gender_code = ? AND r.checkpoint_date IS NULL"

// Read lists the subjects of a live scope with all fields.
func Read(db scope.Database, s scope.Scope) (*Subjects, error) {
	all, args := &Subjects{}, []any{param.ClampInt(s.Season), param.ClampInt(s.Division), s.Gender}
	for _, q := range []struct {
		text string
		row  func([]driver.Value)
	}{
		{"SELECT r.anet_athlete_hnd FROM " + readapi.AthleteTable + " r" + ranked + " ORDER BY r.athlete_rank, r.ranking_id", func(row []driver.Value) {
			all.Athletes = append(all.Athletes, jsontext.AsInt(row[0]))
		}},
		{"SELECT r.anet_team_hnd, r.regl_group_name, r.conf_group_name FROM " + readapi.TeamTable + " r" + ranked + " ORDER BY r.team_rank, r.ranking_id", func(row []driver.Value) {
			all.Teams = append(all.Teams, jsontext.AsInt(row[0]))
			all.Regions, all.Conferences = withText(all.Regions, row[1]), withText(all.Conferences, row[2])
		}},
		{"SELECT r.team_id FROM " + readapi.KnockoutTable + " r" + played + " ORDER BY r.knockout_rank, r.id", func(row []driver.Value) {
			all.Knockouts = append(all.Knockouts, jsontext.AsInt(row[0]))
		}},
		{"SELECT LEAST(r.team_a_id, r.team_b_id), GREATEST(r.team_a_id, r.team_b_id) FROM " + readapi.MatchupTable + " r" + played +
			" GROUP BY 1, 2 ORDER BY MIN(LEAST(COALESCE(r.team_a_ko_rank, 9999), COALESCE(r.team_b_ko_rank, 9999))), 1, 2", func(row []driver.Value) {
			all.Pairs = append(all.Pairs, [2]int64{jsontext.AsInt(row[0]), jsontext.AsInt(row[1])})
		}},
	} {
		err := db.Rows(q.text, args, func(row []driver.Value) error {
			q.row(row)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// withText adds a text to a list that does not have it, unless it is empty or NULL.
func withText(all []string, value driver.Value) []string {
	text := jsontext.AsText(value)
	if text == "" || slices.Contains(all, text) {
		return all
	}
	return append(all, text)
}
