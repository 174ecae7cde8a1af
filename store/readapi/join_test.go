package readapi_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// results are the rows of a list's answer, each as its JSON text, and the total.
func results(t testing.TB, s *store.Store, given texts) (rows []string, total int) {
	t.Helper()
	body := string(scratch.Ask(t, s, 200, "/athletes/", given).Body)
	if _, err := fmt.Sscanf(body, `{"total":%d,`, &total); err != nil {
		t.Fatalf("%.60s: %v", body, err)
	}
	_, list, _ := strings.Cut(body, `"results":[`)
	if list = strings.TrimSuffix(list, "]}"); list != "" {
		rows = strings.Split(list, "},{")
		rows[0] = strings.TrimPrefix(rows[0], "{")
		rows[len(rows)-1] = strings.TrimSuffix(rows[len(rows)-1], "}")
	}
	return rows, total
}

// repeatAthletes makes lists longer than a page that is cut out early, with ties of rank.
func repeatAthletes(run func(statement string, args ...any)) {
	const columns = "season_year, division_code, gender_code, checkpoint_date, algorithm_type, scoring_group, anet_athlete_hnd," +
		" athlete_name_last, anet_team_hnd, athlete_rank, races_count, calculated_at"
	for range 3 {
		run("INSERT INTO " + readapi.AthleteTable + " (" + columns + ") SELECT " + columns + " FROM " + readapi.AthleteTable + " WHERE season_year = 2025")
	}
}

// repeatTeams adds rows of teams that the join finds beside the sample's rows: every team of
// an even number twice more, every fifth once.
func repeatTeams(run func(statement string, args ...any)) {
	for _, more := range []struct{ algorithm, group, teams string }{
		{"heavy", "division", "anet_team_hnd % 2 = 0"}, {"light", "region_1", "anet_team_hnd % 2 = 0"}, {"heavy", "region_1", "anet_team_hnd % 5 = 0"},
	} {
		run("INSERT INTO "+readapi.TeamTable+" (season_year, division_code, gender_code, checkpoint_date, algorithm_type, scoring_group,"+
			" anet_team_hnd, team_rank, regl_group_name, calculated_at) SELECT season_year, division_code, gender_code, checkpoint_date,"+
			" ?, ?, anet_team_hnd, team_rank, ?, calculated_at FROM "+readapi.TeamTable+
			" WHERE algorithm_type = 'light' AND scoring_group = 'division' AND "+more.teams,
			more.algorithm, more.group, more.algorithm+" "+more.group)
	}
}

// TestPages: the pages put together are the whole list, and each reports its length,
// however the join multiplies the rows.
func TestPages(t *testing.T) {
	s, run := sampleDatabase(t)
	repeatAthletes(run)
	checkPages(t, s, map[string]texts{
		"live, each team once":  {"division": "2030", "gender": "M"},
		"races, each team once": {"division": "2030", "gender": "F", "min_races": "3"},
	})
	repeatTeams(run)
	checkPages(t, s, map[string]texts{
		"live":        {"division": "2030", "gender": "M"},
		"dated":       {"division": "2030", "gender": "M", "checkpoint_date": "2025-10-20"},
		"no division": {"gender": "F"},
		"search":      {"division": "2030", "search": "a%"},
		"races":       {"division": "2030", "min_races": "3"},
		"region":      {"division": "2030", "region": "heavy division"},
		"nothing":     {"division": "2030", "search": "no such name"},
	})
}

// checkPages compares the pages of questions with the whole lists.
func checkPages(t *testing.T, s *store.Store, questions map[string]texts) {
	for name, given := range questions {
		t.Run(name, func(t *testing.T) {
			given["season_year"], given["limit"], given["offset"] = "2025", "50000", "0"
			all, total := results(t, s, given)
			if len(all) != total || len(all) == 0 != (name == "nothing") {
				t.Fatalf("%d rows of %d", len(all), total)
			}
			if name == "live" && total < readapi.Shallow+100 {
				t.Fatalf("%d rows are not enough to go deep", total)
			}
			for _, size := range []int{1, 2, 7, 100, readapi.Shallow} {
				given["limit"] = strconv.Itoa(size)
				// A few offsets of a long list are enough: both ends, the last page
				// that is cut before the join and its neighbours, and the middle.
				for _, at := range []int{0, 1, size, readapi.Shallow - size, readapi.Shallow - size + 1, len(all) / 2, len(all) - size, len(all) - 1, len(all), len(all) + 1} {
					offset := max(at, 0)
					given["offset"] = strconv.Itoa(offset)
					from := min(offset, len(all))
					want := all[from:min(from+size, len(all))]
					if page, n := results(t, s, given); n != total || !slices.Equal(page, want) {
						t.Fatalf("%d rows from %d: %d rows of %d, want %d of %d", size, offset, len(page), n, len(want), total)
					}
				}
			}
			for _, offset := range []string{"9223372036854775807", strings.Repeat("9", 40)} {
				given["offset"] = offset
				if page, n := results(t, s, given); n != total || len(page) > 0 {
					t.Errorf("from %s: %d rows of %d", offset, len(page), n)
				}
			}
		})
	}
}
