package visitors

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// fakeAPI answers the requests of Learn. A target in instead gets the given body.
func fakeAPI(t *testing.T, instead map[string]string) (root string) {
	t.Helper()
	answers := map[string]string{
		"/snapshots/": `{"total":2,"snapshots":[{"date":"2025-10-13"},{"date":"2025-10-20"}]}`,
		"/metadata/latest": `{"results":[{"season_year":2024,"division_code":2028,"gender_code":"M"},{"season_year":2025,"division_code":77,"gender_code":"M"},` +
			`{"season_year":2025,"division_code":2031,"gender_code":"F"},{"season_year":2025,"division_code":2030,"gender_code":"F"},` +
			`{"season_year":2025,"division_code":2030,"gender_code":"M"},{"season_year":2025,"division_code":2030,"gender_code":"M"}]}`,
		"/athletes/":      `{"results":[{"anet_athlete_hnd":9,"athlete_name_last":"Müller & Co"},{"anet_athlete_hnd":8,"athlete_name_last":" "}]}`,
		"/teams/":         `{"results":[{"anet_team_hnd":7,"regl_group_name":"Great Lakes","conf_group_name":null},{"anet_team_hnd":6,"regl_group_name":"Great Lakes"}]}`,
		"/team-knockout/": `{"results":[{"team_id":7}]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, found := instead[strings.TrimPrefix(r.RequestURI, "/api")]
		if !found {
			body, found = instead[strings.TrimPrefix(r.URL.Path, "/api")]
		}
		if !found {
			body = answers[strings.TrimPrefix(r.URL.Path, "/api")]
		}
		if body == "" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/api"
}

func TestLearn(t *testing.T) {
	empty := athleteList(2025, &Scope{Division: 2031, Gender: "F"})
	heard := ""
	c, err := Learn(t.Context(), http.DefaultClient, fakeAPI(t, map[string]string{empty: `{"results":[]}`}), func(done, all int) { heard += fmt.Sprint(done, "/", all, " ") })
	if err != nil {
		t.Fatal(err)
	}
	if c.Season != 2025 || !slices.Equal(c.Snapshots, []string{"2025-10-20", "2025-10-13"}) || heard != "1/4 2/4 3/4 4/4 " {
		t.Errorf("season %d, snapshots %q, heard %s", c.Season, c.Snapshots, heard)
	}
	order := ""
	for _, s := range c.Scopes {
		order += s.params() + " "
	}
	if want := "division=2030&gender=M division=2030&gender=F division=77&gender=M "; order != want {
		t.Errorf("scopes %s, want %s", order, want)
	}
	s := c.Scopes[0]
	got := fmt.Sprint(s.Athletes, s.Teams, s.Knockouts, s.Regions, s.Conferences, s.Names)
	if want := "[9 8] [7 6] [7] [Great+Lakes] [] [M%C3%BCller+%26+Co]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestLearnFails(t *testing.T) {
	for name, tt := range map[string]struct{ target, body, want string }{
		"not there":     {"/snapshots/", "", "/api/snapshots/: got 404 Not Found"},
		"not JSON":      {"/metadata/latest", "<html>", "/api/metadata/latest: invalid character"},
		"no division":   {"/metadata/latest", `{"results":[]}`, "has no division"},
		"no athlete":    {"/athletes/", `{"results":[]}`, "has no division"},
		"broken a list": {"/teams/", `{"results":[{"anet_team_hnd":"x"}]}`, "/api/teams/?season_year=2025"},
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := Learn(t.Context(), http.DefaultClient, fakeAPI(t, map[string]string{tt.target: tt.body}), nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Learn(ended, http.DefaultClient, fakeAPI(t, nil), nil); err == nil {
		t.Error("no error though it was to end")
	}
}

func TestLearnPairs(t *testing.T) {
	c := &Catalogue{Season: 2025, Scopes: []Scope{{Division: 2030, Gender: "M", Knockouts: make([]int, pairsOf+1)}, {Division: 2030, Gender: "F"}}}
	root := fakeAPI(t, map[string]string{"/team-knockout/matchups": `{"matchups":[{"team_a_id":7,"team_b_id":6}]}`})
	if err := LearnPairs(t.Context(), http.DefaultClient, root, c); err != nil || len(c.Scopes[0].Met) != pairsOf || c.Scopes[0].Met[0] != [2]int{7, 6} || len(c.Scopes[1].Met) != 0 {
		t.Errorf("%v, %v", c.Scopes[0].Met, err)
	}
	if err := LearnPairs(t.Context(), http.DefaultClient, fakeAPI(t, nil), c); err == nil {
		t.Error("no error without games")
	}
}
