package store

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/lewistv/xcri-proxy/store/readapi"
)

// handles returns a field of each row of a list of the read API.
func handles(t *testing.T, s *Store, path, field string, params map[string]string) (all []int64) {
	t.Helper()
	for _, e := range readapi.Endpoints() {
		if e.Path != path {
			continue
		}
		q := Query{Endpoint: e, Args: make([]Arg, len(e.Params))}
		for i, p := range e.Params {
			text, given := params[p.Name]
			if !given {
				text = p.Default
			}
			q.Args[i] = Arg{Given: text != "", Text: text}
		}
		a, err := s.Run(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var list struct{ Results []map[string]any }
		if err := json.Unmarshal(a.Body, &list); err != nil {
			t.Fatal(err)
		}
		for _, row := range list.Results {
			all = append(all, int64(row[field].(float64)))
		}
	}
	return all
}

// The subjects of each live scope are the rows of the lists that the site shows, in the same
// order.
func TestSubjects(t *testing.T) {
	s := open(t, options(t))
	g, err := s.Generation(t.Context())
	if err != nil || len(g.Live()) == 0 {
		t.Fatal(err)
	}
	pairs := 0
	for _, of := range g.Live() {
		got, err := s.Subjects(t.Context(), of)
		if err != nil {
			t.Fatal(err)
		}
		scope := map[string]string{"season_year": of.Season, "division": of.Division, "gender": of.Gender, "limit": "50000"}
		teams := map[string]string{"season_year": of.Season, "rank_group_fk": of.Division, "gender_code": of.Gender, "limit": "500"}
		for what, want := range map[string][2][]int64{
			"athletes":  {got.Athletes, handles(t, s, "/athletes/", "anet_athlete_hnd", scope)},
			"teams":     {got.Teams, handles(t, s, "/teams/", "anet_team_hnd", scope)},
			"knockouts": {got.Knockouts, handles(t, s, "/team-knockout/", "team_id", teams)},
		} {
			if !slices.Equal(want[0], want[1]) {
				t.Errorf("%s of %s: %d, want %d", what, of, want[0], want[1])
			}
		}
		if len(got.Teams) > 0 && (len(got.Regions) == 0 || len(got.Conferences) == 0 || slices.Contains(got.Regions, "")) {
			t.Errorf("%s: %q, %q", of, got.Regions, got.Conferences)
		}
		for i, p := range got.Pairs {
			if p[0] >= p[1] || slices.Contains(got.Pairs[:i], p) || !slices.Contains(got.Knockouts, p[0]) && !slices.Contains(got.Knockouts, p[1]) {
				t.Errorf("%s: pair %d of %d", of, p, len(got.Pairs))
			}
		}
		pairs += len(got.Pairs)
	}
	var want int
	if err := root(t, "").QueryRow(fmt.Sprintf("SELECT COUNT(*) FROM (SELECT DISTINCT rank_group_fk, gender_code, LEAST(team_a_id, team_b_id), GREATEST(team_a_id, team_b_id)"+
		" FROM %s.iz_rankings_xcri_team_knockout_matchups WHERE season_year = %s AND rank_group_type = 'D' AND checkpoint_date IS NULL) p", options(t).Name, g.Live()[0].Season)).Scan(&want); err != nil || pairs != want || pairs == 0 {
		t.Errorf("%d pairs, want %d: %v", pairs, want, err)
	}
	none, err := s.Subjects(t.Context(), Scope{Season: "1999", Division: "2030", Gender: "M", Checkpoint: Live})
	if err != nil || !reflect.DeepEqual(none, &Subjects{}) {
		t.Errorf("of a scope without rows: %+v, %v", none, err)
	}
}
