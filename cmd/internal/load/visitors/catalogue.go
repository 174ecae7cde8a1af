package visitors

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Catalogue lists the content of an API, most popular first. It must not be changed
// while it is in use.
type Catalogue struct {
	Season    int // the newest
	Scopes    []Scope
	Snapshots []string // dates, newest first
}

// Scope is a live division and gender.
type Scope struct {
	Division  int
	Gender    string
	Athletes  []int // handles, best ranked first
	Teams     []int
	Knockouts []int // teams with a head-to-head rank
	// Met are pairs of teams that have met, if LearnPairs has read them.
	Met [][2]int

	Regions, Conferences, Names []string // as in the lists; Names are of people
}

// params returns the parameters of the scope in the target of a list.
func (s *Scope) params() string {
	return "division=" + strconv.Itoa(s.Division) + "&gender=" + s.Gender
}

// divisionOrder are the codes of the divisions in the site's order, which is assumed
// to be the order of popularity. Source: the site's selector.
var divisionOrder = []int{2030, 2031, 2032, 2028, 19781, 19782, 2034}

// learner reads the catalogue of an API.
type learner struct {
	client   *http.Client
	root     string
	progress func(done, all int)
}

// Learn reads the catalogue of the API at root, a URL without a final slash. It calls
// progress, unless it is nil, after each list that was read.
func Learn(ctx context.Context, client *http.Client, root string, progress func(done, all int)) (*Catalogue, error) {
	if progress == nil {
		progress = func(int, int) {}
	}
	l := &learner{client, root, progress}
	c := &Catalogue{}
	if err := l.snapshots(ctx, c); err != nil {
		return nil, err
	}
	if err := l.scopes(ctx, c); err != nil {
		return nil, err
	}
	for i := range c.Scopes {
		if err := l.lists(ctx, c.Season, &c.Scopes[i]); err != nil {
			return nil, err
		}
		progress(i+1, len(c.Scopes))
	}
	c.Scopes = slices.DeleteFunc(c.Scopes, func(s Scope) bool { return len(s.Athletes) == 0 || len(s.Teams) == 0 })
	if len(c.Scopes) == 0 {
		return nil, fmt.Errorf("%s has no division with athletes and teams", root)
	}
	return c, nil
}

// pairsOf is the number of teams of a scope, the best first, whose games LearnPairs reads.
const pairsOf = 20

// LearnPairs reads pairs of teams that have met, as the site shows the games of a team.
func LearnPairs(ctx context.Context, client *http.Client, root string, c *Catalogue) error {
	l := &learner{client: client, root: root}
	for i := range c.Scopes {
		s := &c.Scopes[i]
		for _, team := range s.Knockouts[:min(pairsOf, len(s.Knockouts))] {
			var games struct {
				Matchups []struct {
					A int `json:"team_a_id"`
					B int `json:"team_b_id"`
				}
			}
			if err := l.get(ctx, games50(c.Season, s, team), &games); err != nil {
				return err
			}
			for _, g := range games.Matchups {
				s.Met = append(s.Met, [2]int{g.A, g.B})
			}
		}
	}
	return nil
}

func (l *learner) get(ctx context.Context, target string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.root+target, nil)
	if err != nil {
		return err
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: got %s", req.URL, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("%s: %w", req.URL, err)
	}
	return nil
}

func (l *learner) snapshots(ctx context.Context, c *Catalogue) error {
	var all struct{ Snapshots []struct{ Date string } }
	if err := l.get(ctx, "/snapshots/", &all); err != nil {
		return err
	}
	for _, s := range all.Snapshots {
		c.Snapshots = append(c.Snapshots, url.PathEscape(s.Date))
	}
	slices.Sort(c.Snapshots)
	slices.Reverse(c.Snapshots)
	return nil
}

// scopes returns the divisions and genders of the newest season.
func (l *learner) scopes(ctx context.Context, c *Catalogue) error {
	var latest struct {
		Results []struct {
			Season   int    `json:"season_year"`
			Division int    `json:"division_code"`
			Gender   string `json:"gender_code"`
		}
	}
	if err := l.get(ctx, "/metadata/latest", &latest); err != nil {
		return err
	}
	for _, r := range latest.Results {
		c.Season = max(c.Season, r.Season)
	}
	for _, r := range latest.Results {
		s := Scope{Division: r.Division, Gender: url.QueryEscape(r.Gender)}
		known := slices.ContainsFunc(c.Scopes, func(o Scope) bool { return o.Division == s.Division && o.Gender == s.Gender })
		if r.Season == c.Season && !known {
			c.Scopes = append(c.Scopes, s)
		}
	}
	slices.SortFunc(c.Scopes, func(a, b Scope) int {
		// The code of women sorts before the code of men, but the site shows men first.
		return cmp.Or(cmp.Compare(place(a.Division), place(b.Division)), cmp.Compare(a.Division, b.Division), cmp.Compare(b.Gender, a.Gender))
	})
	return nil
}

func place(division int) int {
	if i := slices.Index(divisionOrder, division); i >= 0 {
		return i
	}
	return len(divisionOrder)
}

// row holds the used fields of a row of any list.
type row struct {
	Athlete    int    `json:"anet_athlete_hnd"`
	Team       int    `json:"anet_team_hnd"`
	Knockout   int    `json:"team_id"`
	Name       string `json:"athlete_name_last"`
	Region     string `json:"regl_group_name"`
	Conference string `json:"conf_group_name"`
}

// lists reads the lists of a scope with the site's parameters.
func (l *learner) lists(ctx context.Context, season int, s *Scope) error {
	var rows [3]struct{ Results []row }
	for i, target := range []string{athleteList(season, s), teamList(season, s), knockoutList(season, s)} {
		if err := l.get(ctx, target, &rows[i]); err != nil {
			return err
		}
	}
	names := map[string]bool{}
	for _, r := range rows[0].Results {
		s.Athletes = append(s.Athletes, r.Athlete)
		names[r.Name] = true
	}
	regions, conferences := map[string]bool{}, map[string]bool{}
	for _, r := range rows[1].Results {
		s.Teams = append(s.Teams, r.Team)
		regions[r.Region], conferences[r.Conference] = true, true
	}
	for _, r := range rows[2].Results {
		s.Knockouts = append(s.Knockouts, r.Knockout)
	}
	s.Names, s.Regions, s.Conferences = texts(names), texts(regions), texts(conferences)
	return nil
}

// texts returns the texts that are not blank, in order and escaped for a query.
func texts(set map[string]bool) (all []string) {
	for text := range set {
		if strings.TrimSpace(text) != "" {
			all = append(all, url.QueryEscape(text))
		}
	}
	slices.Sort(all)
	return all
}
