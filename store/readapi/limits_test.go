package readapi

import (
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/query"
)

// TestLimitsOfLists: the longest page of each list is the old API's.
func TestLimitsOfLists(t *testing.T) {
	longest := map[int64]string{
		50000: "/athletes/ /teams/ /team-five/ /snapshots/{snapshot_date}/athletes /snapshots/{snapshot_date}/teams /components/leaderboard",
		500:   "/athletes/team/{team_hnd}/roster /team-knockout/ /team-knockout/matchups",
		100:   "/scs/biggest-discrepancies /scs/leaderboard/{component}",
	}
	lists := 0
	for _, e := range endpoints {
		for _, p := range e.Params {
			if p.Name != "limit" {
				continue
			}
			if lists++; !strings.Contains(" "+longest[*p.Max]+" ", " "+e.Path+" ") {
				t.Errorf("%s has a limit of %d", e.Path, *p.Max)
			}
		}
	}
	if lists != 11 {
		t.Errorf("%d lists with a limit", lists)
	}
}

// TestIdentifiersAreIntegers: a text that is no integer is not a valid identifier.
func TestIdentifiersAreIntegers(t *testing.T) {
	for _, e := range endpoints {
		for _, p := range e.Params {
			if identifier := strings.HasSuffix(p.Name, "_id") || strings.HasSuffix(p.Name, "_hnd"); identifier && p.Kind != param.Int {
				t.Errorf("%s: %s is no integer", e.Path, p.Name)
			}
		}
	}
}

// answering is a database that answers each statement with the same row.
type answering []driver.Value

func (row answering) Rows(_ string, _ []any, see func([]driver.Value) error) error { return see(row) }

// TestDistributionOfDecimals: scores of a DECIMAL column are numbers in a distribution.
func TestDistributionOfDecimals(t *testing.T) {
	e := &Endpoint{Params: []param.Param{component, season("2025"), division, gender}, Answer: distribution}
	args := []query.Arg{{Given: true, Text: "xcri"}, {Given: true, Text: "2025"}, {Given: true, Text: "2030"}, {Given: true, Text: "M"}}
	a, err := Query{Endpoint: e, Args: args}.Run(answering{[]byte("12.5000"), []byte("0.2500")}, State{})
	if want := `"statistics":{"min":12.5,"max":12.5,"mean":12.5,"std":0.25,"count":1},"percentiles":{"25th":12.5,"50th":12.5,"75th":12.5}`; err != nil || !strings.Contains(string(a.Body), want) {
		t.Errorf("%s, %v", a.Body, err)
	}
}
