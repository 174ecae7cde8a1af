package pages

import (
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
)

// TestListsOfTheSite: the site's lists of a scope are the lists of a live ranking or of a
// snapshot.
func TestListsOfTheSite(t *testing.T) {
	live := []string{
		"/athletes/?season_year=2025&division=2030&gender=M&limit=50000", "/teams/?season_year=2025&division=2030&gender=M&limit=50000",
		"/team-knockout/?season_year=2025&rank_group_fk=2030&gender_code=M&limit=500",
	}
	dated := []string{"/snapshots/2025-10-20/athletes?division=2030&gender=M&limit=50000", "/snapshots/2025-10-20/teams?division=2030&gender=M&limit=50000"}
	for checkpoint, want := range map[string][]string{"": live, store.Live: live, "2025-10-20": dated} {
		if got := Lists(store.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: checkpoint}); !slices.Equal(got, want) {
			t.Errorf("%s: %q", checkpoint, got)
		}
	}
	if got := Default(); !slices.Equal(got, []string{"/metadata/latest/date", "/metadata/latest", "/snapshots/", "/health"}) {
		t.Errorf("%q", got)
	}
}

// TestWarmSet: the lists follow the targets of each visit, and /health stands between the live
// lists and the lists of snapshots if it is among these targets.
func TestWarmSet(t *testing.T) {
	scopes := []store.Scope{{Division: "2030", Gender: "F", Checkpoint: "2025-10-20"}, {Season: "2025", Division: "2030", Gender: "M"}}
	dated, live := Lists(scopes[0]), Lists(scopes[1])
	for _, tt := range []struct{ each, first, between []string }{
		{Default(), []string{"/metadata/latest/date", "/metadata/latest", "/snapshots/"}, []string{"/health"}},
		{[]string{"/health", "/x"}, []string{"/x"}, []string{"/health"}},
		{[]string{"/x"}, []string{"/x"}, nil},
	} {
		given := slices.Clone(tt.each)
		if got, want := WarmSet(tt.each, scopes), slices.Concat(tt.first, live, tt.between, dated); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
		if !slices.Equal(tt.each, given) {
			t.Errorf("the given targets are %q, were %q", tt.each, given)
		}
	}
}

// TestWarmSetEndsWithShortLists: the lists of athletes, which are long, precede the other
// lists of their kind.
func TestWarmSetEndsWithShortLists(t *testing.T) {
	var scopes []store.Scope
	for _, checkpoint := range []string{store.Live, "2025-10-20"} {
		for _, gender := range []string{"M", "F"} {
			scopes = append(scopes, store.Scope{Season: "2025", Division: "2030", Gender: gender, Checkpoint: checkpoint})
		}
	}
	var got []string
	for _, target := range WarmSet(nil, scopes) {
		path, _, _ := strings.Cut(target, "?")
		got = append(got, path)
	}
	want := []string{"/athletes/", "/athletes/", "/teams/", "/teams/", "/team-knockout/", "/team-knockout/",
		"/snapshots/2025-10-20/athletes", "/snapshots/2025-10-20/athletes", "/snapshots/2025-10-20/teams", "/snapshots/2025-10-20/teams"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
