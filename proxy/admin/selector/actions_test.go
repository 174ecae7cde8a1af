package selector

import (
	"slices"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet/actions"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// TestOfActions: an action selects the keys of the entries that it makes stale. An action of
// everything, and an action that is not understood, has no condition.
func TestOfActions(t *testing.T) {
	routes := route.NewRouter(store.Endpoints(), "")
	targets := []string{"/teams/?season_year=2025&limit=10", "/teams/?season_year=2024", "/athletes/?season_year=2025", "/teams/1?season_year=2025"}
	keys := make([]string, len(targets))
	for i, target := range targets {
		q, err := routes.Resolve(target)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = q.Key
	}
	for _, tt := range []struct {
		kind, data string
		want       []int // nil means no condition
	}{
		{"purge", `{"path":"/teams/?limit=10&season_year=2025"}`, []int{0}},
		{"purge", `{"route":"/teams/","hard":true}`, []int{0, 1}},
		{"purge", `{"scope":"2025/2030/M/live"}`, []int{0, 2, 3}},
		{"series", `{"route":"/athletes/","local":true}`, []int{2}},
		{"table", `"iz_rankings_xcri_athlete_rankings"`, []int{2}},
		{"table", `"another"`, []int{}},
		{"source", `{"source":"legacy","routes":["/teams","/athletes/"]}`, []int{0, 1, 2}},
		{"purge", `{"all":true}`, nil}, {"purge", `{}`, nil}, {"purge", `{"route":"/nowhere/"}`, nil}, {"purge", `"x"`, nil}, {"series", `null`, nil},
		{"table", `{}`, nil}, {"table", `null`, nil}, {"source", `{"reset":true}`, nil}, {"source", `{"routes":["/nowhere/"]}`, nil}, {"source", `1`, nil}, {"another", `{}`, nil},
	} {
		selects := OfActions(routes)(tt.kind, []byte(tt.data))
		if (selects == nil) != (tt.want == nil) {
			t.Errorf("%s %s: a condition %t", tt.kind, tt.data, selects != nil)
		}
		if selects == nil {
			continue
		}
		got := []int{}
		for i, key := range keys {
			if selects(key) {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, tt.want) || !selects("no key") && tt.want != nil && tt.kind != "purge" && tt.kind != "series" {
			t.Errorf("%s %s: %v, want %v", tt.kind, tt.data, got, tt.want)
		}
	}
}

// TestOfMissed: a purge selects the entries that were filled before it, or less than a minute
// later by the clock of another host. Hard purges drop, all others make stale.
func TestOfMissed(t *testing.T) {
	routes := route.NewRouter(store.Endpoints(), "")
	key := func(target string) string {
		q, err := routes.Resolve(target)
		if err != nil {
			t.Fatal(err)
		}
		return q.Key
	}
	at := time.Date(2025, 11, 1, 12, 0, 0, 0, time.UTC)
	purge := func(kind, data string, after time.Duration) actions.Action {
		return actions.Action{Kind: kind, Data: []byte(data), At: at.Add(after)}
	}
	drop, stale := OfMissed(at.AddDate(-1, 0, 0), []actions.Action{
		purge("purge", `{"route":"/teams/","hard":true}`, 0), purge("purge", `{"route":"/athletes/"}`, time.Hour),
		purge("table", `"iz_rankings_xcri_calculation_metadata"`, 0), purge("purge", `{"all":true}`, -time.Hour),
	}, routes)
	for _, tt := range []struct {
		target      string
		filled      time.Duration
		drop, stale bool
	}{
		{"/teams/", -2 * time.Hour, true, true}, {"/teams/", -time.Minute, true, false}, {"/teams/", time.Minute - 1, true, false}, {"/teams/", time.Minute, false, false},
		{"/athletes/", 0, false, true}, {"/athletes/", time.Hour + time.Minute, false, false}, {"/metadata/", 0, false, true}, {"/metadata/", time.Hour, false, false},
	} {
		e := &cache.Entry{Key: key(tt.target), Filled: at.Add(tt.filled)}
		if drop(e) != tt.drop || stale(e) != tt.stale {
			t.Errorf("%s, filled %s later: dropped %t, stale %t", tt.target, tt.filled, drop(e), stale(e))
		}
	}
	if drop, stale = OfMissed(time.Time{}.Add(-Clocks), nil, routes); drop(&cache.Entry{}) || stale(&cache.Entry{}) {
		t.Error("no purge selects an entry")
	}
}
