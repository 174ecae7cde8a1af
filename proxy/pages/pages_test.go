package pages

import (
	"slices"
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
