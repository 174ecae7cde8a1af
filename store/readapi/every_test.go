package readapi_test

import (
	"database/sql/driver"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// TestEveryEndpoint asks each with all parameters, with none that it can do
// without, and with each alone.
func TestEveryEndpoint(t *testing.T) {
	opts, _ := emptyTables(t)
	for name, s := range map[string]*store.Store{"sample": open(t, options(t)), "empty": open(t, opts)} {
		for _, e := range readapi.Endpoints() {
			for alone := -2; alone < len(e.Params); alone++ {
				given := texts{}
				for i, p := range e.Params {
					if p.Required || alone == i || alone == -1 {
						given[p.Name] = readapi.ValueFor(p)
					}
				}
				q, problem := scratch.Question(e, given)
				if problem != param.OK {
					t.Fatalf("%s %v: problem %d", e.Path, given, problem)
				}
				a, err := s.Run(t.Context(), q)
				if err != nil || !json.Valid(a.Body) || !slices.Contains([]int{200, 404, 501}, a.Status) {
					t.Errorf("%s: %s %v: %d %.300s %v", name, e.Path, given, a.Status, a.Body, err)
				}
				if a.Status == 404 && readapi.InBraces.Match(a.Body[1:]) {
					t.Errorf("%s: %s", e.Path, a.Body)
				}
			}
		}
	}
}

var tableName = regexp.MustCompile(`\biz_[a-z_]+`)

// TestReads demands that an endpoint names the tables that its statements read,
// and no others.
func TestReads(t *testing.T) {
	s := open(t, options(t))
	found := map[string]int{}
	for _, e := range readapi.Endpoints() {
		seen := map[string]bool{}
		watched := *e
		watched.Answer = func(r *readapi.Read) error {
			r.Database = spy{r.Database, func(query string) {
				for _, table := range tableName.FindAllString(query, -1) {
					seen[table] = true
				}
			}}
			return e.Answer(r)
		}
		for _, given := range likely(t, e) {
			q, problem := scratch.Question(&watched, given)
			if problem != param.OK {
				t.Fatalf("%s %v: problem %d", e.Path, given, problem)
			}
			a, err := s.Run(t.Context(), q)
			if err != nil {
				t.Fatalf("%s %v: %v", e.Path, given, err)
			}
			found[e.Path] = max(found[e.Path], 600-a.Status)
		}
		want := slices.Sorted(slices.Values(e.Reads))
		if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) {
			t.Errorf("%s reads %v, and names %v", e.Path, got, want)
		}
		if e.Answer != nil && e.Refuse == nil && found[e.Path] != 400 {
			t.Errorf("%s has answered none of its questions with 200", e.Path)
		}
		if len(e.Reads) == 0 && e.Answer != nil {
			t.Errorf("%s reads no table", e.Path)
		}
		for _, table := range e.Reads {
			if !slices.Contains(readapi.Tables(), table) {
				t.Errorf("%s reads %s, which Tables does not list", e.Path, table)
			}
		}
	}
}

// spy reports the statements that a read runs.
type spy struct {
	readapi.Database
	see func(query string)
}

func (s spy) Rows(query string, args []any, row func([]driver.Value) error) error {
	s.see(query)
	return s.Database.Rows(query, args, row)
}

// likely returns the parameters of the recorded requests of an endpoint that were
// answered with rows, and the least that the endpoint asks for.
func likely(t *testing.T, e *readapi.Endpoint) (all []texts) {
	answers, err := storetest.Answers()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if at, given := routed(t, a.Request); at == e && a.Status < 422 {
			all = append(all, given)
		}
	}
	if len(all) == 0 {
		given := texts{}
		for _, p := range e.Params {
			if p.Required {
				given[p.Name] = readapi.ValueFor(p)
			}
		}
		all = append(all, given)
	}
	return all
}

// TestLane: a search reads every row of a scope, whatever the endpoint costs
// without it.
func TestLane(t *testing.T) {
	for _, tt := range []struct {
		path  string
		given texts
		want  readapi.Lane
	}{
		{"/athletes/", nil, readapi.WholeList},
		{"/athletes/", texts{"search": "ab"}, readapi.Search},
		{"/snapshots/{snapshot_date}/teams", texts{"snapshot_date": "2025-10-20", "division": "1", "gender": "M", "search": "ab"}, readapi.Search},
		{"/team-knockout/", texts{"search": "ab", "limit": "1"}, readapi.Search},
		{"/athletes/{athlete_hnd}", texts{"athlete_hnd": "1"}, readapi.ByKey},
		{"/teams/{team_hnd}/resume", texts{"team_hnd": "1"}, readapi.ByKey},
		{"/metadata/", nil, readapi.ByKey},
		{"/scs/distribution/{component}", texts{"component": "saga"}, readapi.WholeList},
		{"/health", nil, readapi.WholeList},
	} {
		if got := scratch.Query(t, tt.path, tt.given).Lane(); got != tt.want {
			t.Errorf("%s %v: lane %d, want %d", tt.path, tt.given, got, tt.want)
		}
	}
}
