package readapi_test

import (
	"slices"
	"testing"

	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// TestLeast: the least question of an endpoint names its required parameters and the
// defaults, asks for one row, and is valid: it gets rows where there are rows for it, and
// is refused nowhere.
func TestLeast(t *testing.T) {
	for _, e := range readapi.Endpoints() {
		q := readapi.Least(e)
		given := texts{}
		for i, p := range e.Params {
			if q.Args[i].Given != (p.Required || p.Default != "") {
				t.Errorf("%s: %s is given: %t", e.Path, p.Name, q.Args[i].Given)
			}
			switch text := q.Args[i].Text; {
			case !q.Args[i].Given:
				continue
			case p.Name == "limit" && text != "1", p.Name != "limit" && p.Default != "" && text != p.Default:
				t.Errorf("%s: %s is %q", e.Path, p.Name, text)
			}
			given[p.Name] = q.Args[i].Text
		}
		asked, problem := scratch.Question(e, given)
		if problem != param.OK || !slices.Equal(asked.Args, q.Args) {
			t.Errorf("%s: %v: problem %d", e.Path, given, problem)
		}
		if refused := q.Refused(); refused != nil && refused.Status != 501 {
			t.Errorf("%s: %s", e.Path, refused.Body)
		}
	}
}

// TestUncoveredTables: changes of the teams' knockout, of schools and of seasons' texts are
// reported by no calculation, and changes of rankings and of their metadata are.
func TestUncoveredTables(t *testing.T) {
	covered := []string{readapi.AthleteTable, readapi.TeamTable, readapi.MetadataTable, readapi.ComponentTable}
	all := slices.Concat(covered, readapi.UncoveredTables())
	if slices.Sort(all); !slices.Equal(all, slices.Sorted(slices.Values(readapi.Tables()))) {
		t.Errorf("%v", readapi.UncoveredTables())
	}
}
