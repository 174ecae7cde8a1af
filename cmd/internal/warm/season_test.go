package warm

import (
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

func TestSeasonProgress(t *testing.T) {
	for want, s := range map[string]api.Season{
		"season: 15 of 45 answers, 1.5 MiB of about 5.0 MiB, 1.3 s\n":                       {SeasonCounts: api.SeasonCounts{Keys: 45, Done: 15}, Bytes: 3 << 19, Needed: 5 << 20, Seconds: 1.26},
		"season: 0 of 45 answers, 0 B of about 0 B, 0.0 s, waiting: the database is down\n": {SeasonCounts: api.SeasonCounts{Keys: 45}, Waiting: "the database is down"},
	} {
		var out strings.Builder
		showSeason(console.NewProgress(&out, false, false), &s)
		if out.String() != want {
			t.Errorf("got %q, want %q", &out, want)
		}
	}
}

// A season without room, or with answers that failed, ends the command with the status of a
// part.
func TestSeasonResult(t *testing.T) {
	counts := api.SeasonCounts{Keys: 45, LeftOut: 3, Failed: 2}
	for state, want := range map[string]string{
		api.SeasonComplete:   "",
		api.SeasonFull:       "3 of 45 answers of the season find no room: all need about 5.0 MiB",
		api.SeasonIncomplete: "2 of 45 answers of the season could not be loaded; the last: it fails",
	} {
		err := seasonResult(&api.Season{State: state, SeasonCounts: counts, Needed: 5 << 20, Error: "it fails"})
		switch {
		case want == "" && err == nil:
		case err == nil, err.Error() != want, exit.Status(err) != exit.Partly:
			t.Errorf("%s: %v", state, err)
		}
	}
}
