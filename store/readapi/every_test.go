package readapi_test

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
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

// TestEveryEndpoint: each endpoint answers with all parameters, with the required
// parameters only, and with each parameter alone.
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

// TestReads: an endpoint names exactly the tables that its statements read.
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
			t.Errorf("%s: the statements read %v, but Reads lists %v", e.Path, got, want)
		}
		if e.Answer != nil && e.Refuse == nil && found[e.Path] != 400 {
			t.Errorf("%s: neither the recorded requests nor the required parameters alone give a 200, so its tables are not checked", e.Path)
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

// lanes are the lanes of all endpoints without a search; two have no answer.
var lanes = map[string]readapi.Lane{
	"/athletes/": readapi.WholeList, "/athletes/{athlete_hnd}": readapi.ByKey, "/athletes/team/{team_hnd}/roster": readapi.ByKey,
	"/teams/": readapi.WholeList, "/teams/{team_hnd}": readapi.ByKey, "/teams/{team_hnd}/resume": readapi.ByKey,
	"/team-five/": readapi.WholeList, "/team-five/{team_hnd}": readapi.ByKey, "/team-five/{team_hnd}/resume": readapi.ByKey,
	"/team-knockout/": readapi.WholeList, "/team-knockout/matchups": readapi.ByKey, "/team-knockout/matchups/head-to-head": readapi.ByKey,
	"/team-knockout/matchups/common-opponents": readapi.ByKey, "/team-knockout/matchups/meet/{race_hnd}": readapi.ByKey, "/team-knockout/{team_id}": readapi.ByKey,
	"/metadata/": readapi.ByKey, "/metadata/latest": readapi.ByKey, "/metadata/latest/date": readapi.ByKey, "/metadata/summary/processing": readapi.ByKey,
	"/metadata/{metadata_id}": readapi.ByKey, "/snapshots/": readapi.WholeList, "/snapshots/{snapshot_date}/athletes": readapi.WholeList,
	"/snapshots/{snapshot_date}/teams": readapi.WholeList, "/snapshots/{snapshot_date}/metadata": readapi.WholeList,
	"/scs/athletes/{athlete_hnd}/components": readapi.ByKey, "/scs/athletes/{athlete_hnd}/comparison": readapi.ByKey,
	"/scs/athletes/{athlete_hnd}/discrepancy": readapi.ByKey, "/scs/biggest-discrepancies": readapi.ByKey,
	"/scs/leaderboard/{component}": readapi.WholeList, "/scs/distribution/{component}": readapi.WholeList,
	"/components/athletes/{athlete_hnd}": readapi.ByKey, "/components/leaderboard": readapi.WholeList, "/health": readapi.WholeList,
}

// TestLane: answers of a few rows by key need not wait for whole lists, and neither
// kind waits for a search, which reads every row of a scope.
func TestLane(t *testing.T) {
	for _, e := range readapi.Endpoints() {
		given := texts{}
		for _, p := range e.Params {
			if p.Required {
				given[p.Name] = readapi.ValueFor(p)
			}
		}
		q, _ := scratch.Question(e, given)
		if want, listed := lanes[e.Path]; !listed {
			t.Errorf("%s: add its lane to the table lanes of this file", e.Path)
		} else if q.Lane() != want {
			t.Errorf("%s: lane %d, want %d", e.Path, q.Lane(), want)
		}
		for _, p := range e.Params {
			if p.Like {
				given[p.Name] = "ab"
				if q, _ := scratch.Question(e, given); q.Lane() != readapi.Search {
					t.Errorf("%s with a search: lane %d", e.Path, q.Lane())
				}
			}
		}
	}
}

// TestLaneOfDeepPages: a page with a large offset counts as a search, since the server
// passes all rows before it.
func TestLaneOfDeepPages(t *testing.T) {
	for offset, want := range map[string]readapi.Lane{
		"10000": readapi.WholeList, "10001": readapi.Search, "99999999999999999999": readapi.Search,
	} {
		if got := scratch.Query(t, "/athletes/", texts{"offset": offset}).Lane(); got != want {
			t.Errorf("offset %s: lane %d, want %d", offset, got, want)
		}
	}
}

// TestEveryStatementMayFail: an answer fails if any of its statements fails.
func TestEveryStatementMayFail(t *testing.T) {
	s := open(t, options(t))
	for _, e := range readapi.Endpoints() {
		q, refused := full(t, s, e)
		if e.Answer == nil || refused {
			continue // needs no statement
		}
		run := func(fail int) (ran int, a readapi.Answer, err error) {
			broken := *e
			broken.Answer = func(r *readapi.Read) error {
				ran = 0
				r.Database = breaking{r.Database, fail, &ran}
				return e.Answer(r)
			}
			fresh := open(t, options(t)) // it has not counted anything yet
			defer fresh.Close()
			a, err = fresh.Run(t.Context(), readapi.Query{Endpoint: &broken, Args: q.Args})
			return ran, a, err
		}
		all, _, err := run(1000)
		if err != nil {
			t.Fatalf("%s: %v", e.Path, err)
		}
		for fail := range all {
			if _, a, err := run(fail); !errors.Is(err, errFails) {
				t.Errorf("%s: statement %d of %d fails: %d %.200s, %v", e.Path, fail+1, all, a.Status, a.Body, err)
			}
		}
	}
}

// full returns a likely question of an endpoint whose answer is not an error, or the first
// question that is not refused.
func full(t *testing.T, s *store.Store, e *readapi.Endpoint) (found readapi.Query, refused bool) {
	refused = true
	for _, given := range likely(t, e) {
		q, _ := scratch.Question(e, given)
		a, err := s.Run(t.Context(), q)
		if err != nil {
			t.Fatalf("%s: %v", e.Path, err)
		}
		if a.Status == 200 {
			return q, false
		}
		if a.Status == 404 && refused {
			found, refused = q, false
		}
	}
	return found, refused
}
