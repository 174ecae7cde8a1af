// Package pages names the targets that the site requests.
package pages

import (
	"slices"
	"strings"

	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// The lists that the site requests for a live division and gender, and for one of
// the newest snapshot. Source: the site's own requests.
var (
	liveLists = []string{
		"/athletes/?season_year={season}&division={division}&gender={gender}&limit=50000",
		"/teams/?season_year={season}&division={division}&gender={gender}&limit=50000",
		"/team-knockout/?season_year={season}&rank_group_fk={division}&gender_code={gender}&limit=500",
	}
	snapshotLists = []string{
		"/snapshots/{checkpoint}/athletes?division={division}&gender={gender}&limit=50000",
		"/snapshots/{checkpoint}/teams?division={division}&gender={gender}&limit=50000",
	}
)

// Default returns the targets that the site requests on each visit.
func Default() []string {
	return []string{"/metadata/latest/date", "/metadata/latest", "/snapshots/", route.HealthPath}
}

// WarmSet returns the targets that the site requests on each visit, and the lists of scopes:
// of live scopes before snapshots, and of each kind the long lists first, since a short list
// at the end leaves no processor idle for long. /health follows the live lists: it counts the
// rows of large tables, which takes too long for the end, and /snapshots/ has counted one of
// these tables by then.
func WarmSet(each []string, scopes []store.Scope) (targets []string) {
	health := func(target string) bool { return target == route.HealthPath }
	targets = slices.DeleteFunc(slices.Clone(each), health)
	targets = append(targets, listsOf(scopes, true)...)
	if slices.ContainsFunc(each, health) {
		targets = append(targets, route.HealthPath)
	}
	return append(targets, listsOf(scopes, false)...)
}

// listsOf returns the targets of the lists of the scopes that are live, or of the others.
func listsOf(scopes []store.Scope, live bool) (targets []string) {
	for _, list := range lists(live) {
		for _, s := range scopes {
			if isLive(s) == live {
				targets = append(targets, target(list, s))
			}
		}
	}
	return targets
}

// Lists returns the targets of the lists that the site requests for a scope: a
// live division and gender, or one of a snapshot.
func Lists(s store.Scope) (targets []string) {
	for _, list := range lists(isLive(s)) {
		targets = append(targets, target(list, s))
	}
	return targets
}

func isLive(s store.Scope) bool { return s.Checkpoint == "" || s.Checkpoint == store.Live }

// lists returns the lists of live scopes or of snapshots, the longest first.
func lists(live bool) []string {
	if live {
		return liveLists
	}
	return snapshotLists
}

// target returns the target of a list of a scope.
func target(list string, s store.Scope) string {
	return strings.NewReplacer("{season}", s.Season, "{division}", s.Division, "{gender}", s.Gender, "{checkpoint}", s.Checkpoint).Replace(list)
}
