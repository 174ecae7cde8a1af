package visitors

import (
	"math"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// catalogueOf returns a catalogue of 14 scopes with the given number of teams each,
// and 6 snapshots, 4 of them of the season.
func catalogueOf(teams int) *Catalogue {
	c := &Catalogue{Season: 2025, Snapshots: []string{"2025-10-20", "2025-10-13", "2025-10-06", "2025-09-29", "2024-11-04", "2024-10-28"}}
	for _, division := range divisionOrder {
		for _, gender := range []string{"M", "F"} {
			s := Scope{Division: division, Gender: gender, Regions: []string{"Great+Lakes", "West"}, Conferences: []string{"SEC"}, Names: []string{"M%C3%BCller", "Johnson"}}
			for i := range teams {
				s.Teams = append(s.Teams, 20_000+i)
				s.Athletes = append(s.Athletes, 12_000_000+i)
			}
			s.Knockouts = s.Teams
			c.Scopes = append(c.Scopes, s)
		}
	}
	return c
}

func all(m *Mix) (requests []Request) {
	for v := m.Next(); v != nil; v = m.Next() {
		requests = append(requests, v.Requests...)
	}
	return requests
}

func TestMixIsTheSameForASeed(t *testing.T) {
	first, second := all(NewMix(catalogueOf(50), 7, 5003)), all(NewMix(catalogueOf(50), 7, 5003))
	if len(first) != 5003 || !slices.Equal(first, second) {
		t.Errorf("%d and %d requests, the same: %v", len(first), len(second), slices.Equal(first, second))
	}
	if slices.Equal(first, all(NewMix(catalogueOf(50), 8, 5003))) {
		t.Error("another seed gives the same requests")
	}
}

// within reports whether n of all is within six standard deviations of a share in
// percent.
func within(n, all int, share float64) bool {
	p := share / 100
	return math.Abs(float64(n)-p*float64(all)) <= 6*math.Sqrt(float64(all)*p*(1-p))
}

func TestShares(t *testing.T) {
	sum := 0
	for _, p := range pages {
		sum += p.share
	}
	if sum != 100 {
		t.Fatalf("the shares of the pages come to %d", sum)
	}
	m := NewMix(catalogueOf(300), 1, 0)
	const visits = 12_000
	requests, gzipped := 0, 0
	for range visits {
		v := m.Next()
		requests += len(v.Requests)
		if v.Requests[0].Accept == "gzip" {
			gzipped++
		}
	}
	drawn := visits * (pagesPerVisit - 1)
	for i, p := range pages {
		if !within(m.perPage[i], drawn, float64(p.share)) {
			t.Errorf("%s was drawn %d times in %d, its share is %d %%", p.name, m.perPage[i], drawn, p.share)
		}
	}
	if !within(gzipped, visits, 4) {
		t.Errorf("%d of %d visits take gzip alone", gzipped, visits)
	}
	if mean := float64(requests) / (visits * pagesPerVisit); mean < 3.5 || mean > 4.5 {
		t.Errorf("%.2f requests a page, want about 4", mean)
	}
}

func TestZipf(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 14, 300} {
		var z zipf
		const draws = 100_000
		count, sum := make([]int, n), 0.0
		for range draws {
			count[z.draw(r, n)]++
		}
		for i := range n {
			sum += 1 / float64(i+1)
		}
		for i, got := range count {
			if share := 100 / float64(i+1) / sum; !within(got, draws, share) {
				t.Errorf("%d of %d was drawn %d times, want %.2f %% of %d", i, n, got, share, draws)
			}
		}
	}
}

func TestMixWithFewThings(t *testing.T) {
	c := catalogueOf(1)
	c.Snapshots = nil
	for i := range c.Scopes {
		s := &c.Scopes[i]
		s.Knockouts, s.Regions, s.Conferences, s.Names = nil, nil, nil, nil
	}
	for _, r := range all(NewMix(c, 1, 20_000)) {
		if strings.Contains(r.Target, "knockout/2") || strings.Contains(r.Target, "matchups") || strings.Contains(r.Target, "search=") || strings.Contains(r.Target, "20-") {
			t.Fatalf("requests a missing page: %s", r.Target)
		}
	}
}

func TestTargetsAreRequests(t *testing.T) {
	seen := map[Kind]bool{}
	for _, r := range all(NewMix(catalogueOf(20), 1, 50_000)) {
		u, err := url.ParseRequestURI(r.Target)
		if err != nil || u.RequestURI() != r.Target {
			t.Fatalf("%q: %v", r.Target, err)
		}
		if _, err := url.ParseQuery(u.RawQuery); err != nil {
			t.Fatalf("%q: %v", r.Target, err)
		}
		seen[KindOf(r.Target)] = true
	}
	for k := range Other {
		if !seen[k] {
			t.Errorf("no request of kind %s", k)
		}
	}
	if seen[Other] {
		t.Error("a request of no kind")
	}
}

func TestKindOf(t *testing.T) {
	for target, want := range map[string]Kind{
		"/": Metadata, "/health": Metadata, "/metadata/latest/date": Metadata, "/snapshots": Metadata, "/snapshots/2025-10-20/metadata": Metadata,
		"/athletes": List, "/team-five/?gender=M": List, "/teams/?region=West": Filtered, "/teams/?search=x&region=y": Search,
		"/athletes/12": Profile, "/team-knockout/3?gender_code=F": Profile, "/athletes/team/7/roster": Roster, "/team-five/7/resume": Resume,
		"/team-knockout/matchups?team_id=1": Matchups, "/team-knockout/matchups/meet/9": Matchups,
		"/scs/leaderboard/saga": Scores, "/components/athletes/12": Scores, "/snapshots/2025-10-20/teams": Snapshot, "/feedback/": Other,
	} {
		if got := KindOf(target); got != want {
			t.Errorf("%s is %s, want %s", target, got, want)
		}
	}
}

// The mix of live pages has no past rankings, searches or old links, and compares teams that
// have met.
func TestLiveMix(t *testing.T) {
	c := catalogueOf(50)
	for i := range c.Scopes {
		c.Scopes[i].Met = [][2]int{{20_001, 20_002}}
	}
	m := NewMix(c, 1, 20_000).Live()
	both := map[string]int{}
	for _, r := range all(m) {
		if r.Expect == Absent || strings.Contains(r.Target, "search=") || strings.Contains(r.Target, "/snapshots/2024") || strings.Contains(r.Target, "/athletes?division") {
			t.Errorf("%s", r.Target)
		}
		if _, pair, compares := strings.Cut(r.Target, "team_a_id="); compares {
			both[pair]++
		}
	}
	if both["20001&team_b_id=20002"] == 0 || both["20002&team_b_id=20001"] == 0 || len(both) != 2 {
		t.Errorf("%v", both)
	}
	for i, p := range pages {
		if p.past != (m.perPage[i] == 0) {
			t.Errorf("%s was drawn %d times", p.name, m.perPage[i])
		}
	}
}
