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

// WarmSet returns the targets that the site requests on each visit, and the lists of scopes.
// /health is the last, since /snapshots/ may have counted rows for it.
func WarmSet(each []string, scopes []store.Scope) (targets []string) {
	health := func(target string) bool { return target == route.HealthPath }
	targets = slices.DeleteFunc(slices.Clone(each), health)
	for _, s := range scopes {
		targets = append(targets, Lists(s)...)
	}
	if slices.ContainsFunc(each, health) {
		targets = append(targets, route.HealthPath)
	}
	return targets
}

// Lists returns the targets of the lists that the site requests for a scope: a
// live division and gender, or one of a snapshot.
func Lists(s store.Scope) (targets []string) {
	templates := snapshotLists
	if s.Checkpoint == "" || s.Checkpoint == store.Live {
		templates = liveLists
	}
	fields := strings.NewReplacer("{season}", s.Season, "{division}", s.Division, "{gender}", s.Gender, "{checkpoint}", s.Checkpoint)
	for _, t := range templates {
		targets = append(targets, fields.Replace(t))
	}
	return targets
}
