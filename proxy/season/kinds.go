package season

import (
	"net/url"
	"strconv"

	"github.com/lewistv/xcri-proxy/store"
)

// live is a live scope with its subjects.
type live struct {
	store.Scope
	state    string // of the generation that the subjects were read from
	subjects *store.Subjects
	dates    []string // of the scope's snapshots in the same season, newest first
}

// params are the parameters of the scope in most targets, and ofTeams in the targets of
// head-to-head rankings.
func (l *live) params() string {
	return "season_year=" + l.Season + "&division=" + l.Division + "&gender=" + l.Gender
}

func (l *live) ofTeams() string {
	return "season_year=" + l.Season + "&rank_group_type=D&rank_group_fk=" + l.Division + "&gender_code=" + l.Gender
}

// kind is a question that the site asks about each subject of a scope. Source: the site's
// own requests.
type kind struct {
	name string
	// share is the kind's part of the requests for a season, in percent: an estimate that
	// only decides about the order.
	share  float64
	count  func(*live) int
	target func(l *live, i int) string // of the i-th subject, the best ranked first
}

func ofTeam(name string, share float64, target func(l *live, team string) string) kind {
	return kind{name, share, func(l *live) int { return len(l.subjects.Teams) }, func(l *live, i int) string {
		return target(l, strconv.FormatInt(l.subjects.Teams[i], 10))
	}}
}

func ofAthlete(name string, share float64, target func(l *live, athlete string) string) kind {
	return kind{name, share, func(l *live) int { return len(l.subjects.Athletes) }, func(l *live, i int) string {
		return target(l, strconv.FormatInt(l.subjects.Athletes[i], 10))
	}}
}

func ofKnockout(name string, share float64, target func(l *live, team string) string) kind {
	return kind{name, share, func(l *live) int { return len(l.subjects.Knockouts) }, func(l *live, i int) string {
		return target(l, strconv.FormatInt(l.subjects.Knockouts[i], 10))
	}}
}

// filtered is a list of athletes or teams with the value of a filter.
func filtered(list, name string, values func(*store.Subjects) []string) kind {
	return kind{list + " by " + name, 3, func(l *live) int { return len(values(l.subjects)) }, func(l *live, i int) string {
		return "/" + list + "/?" + l.params() + "&limit=50000&" + name + "=" + url.QueryEscape(values(l.subjects)[i])
	}}
}

func regions(s *store.Subjects) []string     { return s.Regions }
func conferences(s *store.Subjects) []string { return s.Conferences }

// kinds are the questions about a live scope, except for the lists of the warm set and for
// searches, of which there is no end.
var kinds = []kind{
	ofTeam("teams", 30, func(l *live, team string) string { return "/teams/" + team + "?" + l.params() }),
	ofTeam("rosters", 30, func(l *live, team string) string {
		return "/athletes/team/" + team + "/roster?season_year=" + l.Season + "&limit=100&gender=" + l.Gender
	}),
	ofTeam("resumes", 30, func(l *live, team string) string { return "/teams/" + team + "/resume?" + l.params() }),
	{"teams in snapshots", 30, func(l *live) int { return len(l.dates) }, func(l *live, i int) string {
		return "/snapshots/" + l.dates[i] + "/teams?division=" + l.Division + "&gender=" + l.Gender + "&limit=500"
	}},
	filtered("athletes", "region", regions),
	filtered("athletes", "conference", conferences),
	filtered("teams", "region", regions),
	filtered("teams", "conference", conferences),
	ofAthlete("components", 4, func(l *live, athlete string) string {
		return "/scs/athletes/" + athlete + "/components?" + l.params()
	}),
	ofKnockout("head-to-head ranks", 2, func(l *live, team string) string { return "/team-knockout/" + team + "?" + l.ofTeams() }),
	ofKnockout("matchups", 2, func(l *live, team string) string {
		return "/team-knockout/matchups?" + l.ofTeams() + "&limit=50&team_id=" + team
	}),
	ofAthlete("athletes", 1, func(l *live, athlete string) string { return "/athletes/" + athlete + "?" + l.params() }),
	{"pairs of teams", 0.5, func(l *live) int { return 2 * len(l.subjects.Pairs) }, func(l *live, i int) string {
		a, b := l.subjects.Pairs[i/2][i%2], l.subjects.Pairs[i/2][1-i%2]
		return "/team-knockout/matchups/head-to-head?season_year=" + l.Season +
			"&team_a_id=" + strconv.FormatInt(a, 10) + "&team_b_id=" + strconv.FormatInt(b, 10)
	}},
}
