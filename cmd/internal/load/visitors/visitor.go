package visitors

import (
	"fmt"
	"strings"
)

// visitor simulates a visitor. Its methods add the requests of a page.
type visitor struct {
	*Mix
	accept      string
	home, scope *Scope
	requests    []Request

	// The visitor's own team, region and so on, which it requests most often.
	team               int
	region, conference string
}

// one draws from a ranking; it returns false if the ranking is empty.
func one[T any](v *visitor, ranking []T) (T, bool) {
	if len(ranking) == 0 {
		var none T
		return none, false
	}
	return ranking[v.zipf.draw(v.rand, len(ranking))], true
}

// oneOrOwn draws from a ranking of the page's scope, or returns the visitor's own
// value.
func oneOrOwn[T any](v *visitor, ranking []T, own T) (T, bool) {
	if v.scope == v.home && len(ranking) > 0 && v.chance(atHome) {
		return own, true
	}
	return one(v, ranking)
}

func (v *visitor) ask(expect Expect, target string) {
	v.requests = append(v.requests, Request{Target: target, Accept: v.accept, Expect: expect, Revalidate: true})
}

func athleteList(season int, s *Scope) string {
	return fmt.Sprintf("/athletes/?season_year=%d&%s&limit=50000&offset=0", season, s.params())
}

func teamList(season int, s *Scope) string {
	return fmt.Sprintf("/teams/?season_year=%d&%s&limit=50000&offset=0", season, s.params())
}

func knockoutList(season int, s *Scope) string {
	return fmt.Sprintf("/team-knockout/?season_year=%d&rank_group_type=D&rank_group_fk=%d&gender_code=%s&limit=500&offset=0", season, s.Division, s.Gender)
}

func games50(season int, s *Scope, team int) string {
	return fmt.Sprintf("/team-knockout/matchups?season_year=%d&rank_group_type=D&rank_group_fk=%d&gender_code=%s&limit=50&offset=0&team_id=%d", season, s.Division, s.Gender, team)
}

// front requests the first page of a visit.
func (v *visitor) front() {
	v.scope = v.home
	v.ask(Found, "/metadata/latest/date")
	v.ask(Found, "/metadata/latest")
	v.athletes()
}

// athletes requests the athletes' rankings. Like any page of rankings it also requests
// the list of snapshots.
func (v *visitor) athletes() { v.list(athleteList(v.catalogue.Season, v.scope)) }

func (v *visitor) teams() { v.list(teamList(v.catalogue.Season, v.scope)) }

func (v *visitor) knockouts() { v.list(knockoutList(v.catalogue.Season, v.scope)) }

func (v *visitor) list(target string) {
	v.ask(Found, "/snapshots/")
	v.ask(Found, target)
}

func (v *visitor) filtered() {
	target := athleteList(v.catalogue.Season, v.scope)
	if v.chance(50) {
		target = teamList(v.catalogue.Season, v.scope)
	}
	name, among, own := "region", v.scope.Regions, v.region
	if v.chance(50) {
		name, among, own = "conference", v.scope.Conferences, v.conference
	}
	if text, ok := oneOrOwn(v, among, own); ok {
		target += "&" + name + "=" + text
	}
	v.list(target)
}

// teamProfile requests a team with its rank in each snapshot of the season, for which
// the site requests the whole list.
func (v *visitor) teamProfile() {
	season := v.catalogue.Season
	team, _ := oneOrOwn(v, v.scope.Teams, v.team) // Learn omits scopes without teams
	v.ask(Found, fmt.Sprintf("/teams/%d?season_year=%d&%s", team, season, v.scope.params()))
	v.ask(Found, fmt.Sprintf("/athletes/team/%d/roster?season_year=%d&limit=100&gender=%s", team, season, v.scope.Gender))
	v.ask(Found, "/snapshots/")
	for _, date := range v.catalogue.Snapshots {
		if strings.HasPrefix(date, fmt.Sprint(season)) {
			v.ask(Found, fmt.Sprintf("/snapshots/%s/teams?%s&limit=500", date, v.scope.params()))
		}
	}
	v.ask(Perhaps, fmt.Sprintf("/teams/%d/resume?season_year=%d&%s", team, season, v.scope.params()))
}

func (v *visitor) past() {
	what := "athletes"
	if v.chance(50) {
		what = "teams"
	}
	date, ok := one(v, v.catalogue.Snapshots)
	if !ok {
		v.athletes()
		return
	}
	v.list(fmt.Sprintf("/snapshots/%s/%s?%s&limit=50000&offset=0", date, what, v.scope.params()))
}

func (v *visitor) anyAthlete() int {
	return v.scope.Athletes[v.zipf.draw(v.rand, len(v.scope.Athletes))]
}

func (v *visitor) scores() {
	v.ask(Perhaps, fmt.Sprintf("/scs/athletes/%d/components?season_year=%d&%s", v.anyAthlete(), v.catalogue.Season, v.scope.params()))
}

func (v *visitor) athlete() {
	v.ask(Found, fmt.Sprintf("/athletes/%d?season_year=%d&%s", v.anyAthlete(), v.catalogue.Season, v.scope.params()))
}

func (v *visitor) matchups() {
	team, ok := one(v, v.scope.Knockouts)
	if !ok {
		v.knockouts()
		return
	}
	of := fmt.Sprintf("season_year=%d&rank_group_type=D&rank_group_fk=%d&gender_code=%s", v.catalogue.Season, v.scope.Division, v.scope.Gender)
	v.ask(Found, fmt.Sprintf("/team-knockout/%d?%s", team, of))
	v.ask(Found, games50(v.catalogue.Season, v.scope, team))
}

func (v *visitor) twoTeams() {
	a, ok := one(v, v.scope.Knockouts)
	b, _ := one(v, v.scope.Knockouts)
	if v.live {
		var met [2]int
		met, ok = one(v, v.scope.Met)
		i := v.rand.IntN(2)
		a, b = met[i], met[1-i]
	}
	if !ok || a == b { // the site does not compare a team with itself
		v.knockouts()
		return
	}
	v.ask(Perhaps, fmt.Sprintf("/team-knockout/matchups/head-to-head?season_year=%d&team_a_id=%d&team_b_id=%d", v.catalogue.Season, a, b))
}

// search requests the athletes whose name begins with a prefix.
func (v *visitor) search() {
	name, ok := one(v, v.scope.Names)
	if !ok {
		v.athletes()
		return
	}
	if len(name) > 4 && !strings.Contains(name[:4], "%") {
		name = name[:4]
	}
	v.ask(Found, fmt.Sprintf("/athletes/?season_year=%d&%s&limit=25&search=%s", v.catalogue.Season, v.scope.params(), name))
}

func (v *visitor) gone() {
	v.ask(Absent, fmt.Sprintf("/teams/%d?season_year=%d&%s", unknownHandle-v.rand.IntN(100), v.catalogue.Season, v.scope.params()))
}
