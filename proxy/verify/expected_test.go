package verify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/compare"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/store/storetest"
)

// judged returns the comparison of two answers to a target; a status of 500 is a
// failure of the old API.
func judged(t *testing.T, v *Verifier, target string, status int, body string, oldStatus int, oldBody string) Comparison {
	t.Helper()
	s, err := v.subject(target)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	old := Answer{Status: oldStatus, body: []byte(oldBody)}
	if oldStatus >= 500 && oldStatus != 501 {
		old.err = fmt.Errorf("it fails: %w", &legacy.StatusError{Status: oldStatus})
	}
	return s.judge(Answer{Status: status, body: []byte(body)}, old)
}

// Requests that the old API is known to answer with an internal error are expected to
// differ, and no others: an internal error to any other recorded request is a failure.
func TestKnownFaultsAreExpected(t *testing.T) {
	v := newVerifier(t, Options{Store: says(`{}`)})
	records, err := storetest.Answers()
	if err != nil {
		t.Fatal(err)
	}
	faults, names := 0, map[string]int{}
	for _, r := range records {
		path, _, _ := strings.Cut(r.Request, "?")
		if path == "/" || path == "/health" || path == "/snapshots/2025-13-45/metadata" { // by chance no fault
			continue
		}
		if c := judged(t, v, r.Request, r.Status, r.Body, r.Status, r.Body); c.Verdict != compare.SameBytes || c.Expected != "" {
			t.Errorf("%s, the same answers: %s %s", r.Request, c.Verdict, c.Expected)
		}
		c := judged(t, v, r.Request, r.Status, r.Body, 500, `{"detail":"Internal Server Error"}`)
		if r.OldStatus != 0 {
			faults++
			names[c.Expected]++
		}
		if want := r.OldStatus == 500; (c.Verdict == Expected) != want || (c.Expected != "") != want {
			t.Errorf("%s: %s %q, the old API answered %d", r.Request, c.Verdict, c.Expected, r.OldStatus)
		}
		if c := judged(t, v, r.Request, r.Status, r.Body, 502, ``); c.Verdict != Failed {
			t.Errorf("%s, a bad gateway: %s %s", r.Request, c.Verdict, c.Expected)
		}
	}
	if faults < 20 || len(names) < 2 {
		t.Errorf("%d faults: %v", faults, names)
	}
	for target, body := range map[string]string{
		"/scs/distribution/saga?season_year=1999":     `{"component":"SAGA","statistics":{"min":null,"count":0}}`,
		"/metadata/?limit=1&offset=1":                 "",
		"/scs/leaderboard/saga?limit=-1":              `{"results":[]}`,
		"/snapshots/x/metadata":                       "",
		"/team-knockout/?offset=99999999999999999999": `{"results":[]}`,
	} {
		status := 200
		if strings.HasPrefix(target, "/snapshots/") {
			status, body = 404, `{"detail":"Snapshot x not found"}`
		}
		c := judged(t, v, target, status, body, 500, "")
		if want := body != ""; (c.Verdict == Expected) != want {
			t.Errorf("%s: %s %q", target, c.Verdict, c.Expected)
		}
	}
}

// list of n rows with a rank for each, and the rank of each tie twice.
func ranked(ranks ...int) string {
	var rows []string
	for i, rank := range ranks {
		rows = append(rows, fmt.Sprintf(`{"ranking_id":%d,"team_rank":%d}`, i+1, rank))
	}
	return fmt.Sprintf(`{"total":%d,"limit":100,"offset":0,"results":[%s]}`, len(ranks), strings.Join(rows, ","))
}

// rows edits the rows of a list.
func edited(t *testing.T, body string, edit func(answer map[string]any, rows []any) []any) string {
	t.Helper()
	var answer map[string]any
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	answer["results"] = edit(answer, answer["results"].([]any))
	out, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// Rows that tie may come in any order, and other rows of a tie may be on a page that
// cuts it. Everything else is a difference.
func TestTiesAreExpected(t *testing.T) {
	v := newVerifier(t, Options{Store: says(`{}`)})
	swap := func(i, j int) func(map[string]any, []any) []any {
		return func(_ map[string]any, rows []any) []any { rows[i], rows[j] = rows[j], rows[i]; return rows }
	}
	other := func(i int, column string, value any) func(map[string]any, []any) []any {
		return func(_ map[string]any, rows []any) []any { rows[i].(map[string]any)[column] = value; return rows }
	}
	full := ranked(1, 2, 2, 3, 4, 4)
	page := strings.Replace(strings.Replace(full, `"total":6`, `"total":9`, 1), `"offset":0`, `"offset":2`, 1)
	for name, tt := range map[string]struct {
		ours string
		edit func(map[string]any, []any) []any
		want compare.Verdict
	}{
		"a tie in another order": {full, swap(1, 2), Expected},
		"two ties":               {full, func(a map[string]any, r []any) []any { return swap(1, 2)(a, swap(4, 5)(a, r)) }, Expected},
		"rows that do not tie":   {full, swap(0, 3), compare.SameButOrder},
		"a tie and another row":  {full, func(a map[string]any, r []any) []any { return swap(0, 3)(a, swap(1, 2)(a, r)) }, compare.SameButOrder},
		"a value in a tie":       {full, other(1, "team_name", "x"), compare.Different},
		"another row of a tie":   {full, other(5, "ranking_id", 77), compare.Different},
		"another row of the tie that a page cuts at its end":   {page, other(5, "ranking_id", 77), Expected},
		"another row of the tie that a page cuts at its start": {page, other(0, "ranking_id", 77), Expected},
		"another row of a tie within a page":                   {page, other(2, "ranking_id", 77), compare.Different},
		"another value in a row of the tie that a page cuts":   {page, other(5, "team_name", "x"), compare.Different},
		"another rank":  {full, other(3, "team_rank", 4), compare.Different},
		"another total": {full, func(a map[string]any, r []any) []any { a["total"] = 7; return r }, compare.Different},
		"a row less":    {full, func(_ map[string]any, r []any) []any { return r[:5] }, compare.Different},
	} {
		c := judged(t, v, "/teams/", 200, tt.ours, 200, edited(t, tt.ours, tt.edit))
		if c.Verdict != tt.want || (c.Expected != "") != (tt.want == Expected) {
			t.Errorf("%s: %s %q %+v", name, c.Verdict, c.Expected, c.Difference)
		}
	}
	if c := judged(t, v, "/scs/biggest-discrepancies", 200, full, 200, edited(t, full, swap(1, 2))); c.Verdict != compare.SameButOrder {
		t.Errorf("a route without a known order: %s", c.Verdict)
	}
}

// Each route with a list has its order here, and each order is of a route.
func TestOrdersOfRoutes(t *testing.T) {
	v := newVerifier(t, Options{Store: says(`{}`)})
	var known []string
	for _, r := range v.opts.Routes.Routes() {
		known = append(known, r.Path())
	}
	for path, columns := range orders {
		if !slices.Contains(known, path) || len(columns) == 0 {
			t.Errorf("%s is no route, or has no order", path)
		}
	}
	for _, f := range []string{"/scs/distribution/{component}", "/snapshots/{snapshot_date}/metadata", "/metadata/summary/processing"} {
		if !slices.Contains(known, f) {
			t.Errorf("%s is no route", f)
		}
	}
	records, err := storetest.Answers()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		s, err := v.subject(r.Request)
		if err != nil || r.Status != 200 {
			continue
		}
		_, rows, ok := list([]byte(r.Body))
		if !ok || len(rows) == 0 || s.Route.Path() == "/snapshots/" {
			continue
		}
		for _, columns := range orders[s.Route.Path()] {
			for column := range strings.FieldsFuncSeq(columns, func(c rune) bool { return c == '|' || c == '+' }) {
				if rows[0][column] == nil {
					t.Errorf("%s: rows have no %s", r.Request, column)
				}
			}
		}
		if orders[s.Route.Path()] == nil {
			t.Errorf("%s has a list, and no order", s.Route.Path())
		}
	}
}

// Older versions of the old API add a URL to each wrong parameter.
func TestURLsInRefusalsAreExpected(t *testing.T) {
	v := newVerifier(t, Options{Store: says(`{}`)})
	s, err := v.subject("/teams/?limit=x")
	if err != nil {
		t.Fatal(err)
	}
	ours := v.askStore(t.Context(), s)
	with := strings.ReplaceAll(string(ours.body), `"loc":`, `"url":"https://errors.pydantic.dev/2.5/v/int_parsing","loc":`)
	if c := s.judge(ours, Answer{Status: 422, body: []byte(with)}); c.Verdict != Expected {
		t.Errorf("%s %+v", c.Verdict, c.Difference)
	}
	wrong := strings.ReplaceAll(with, `"limit"`, `"offset"`)
	if c := s.judge(ours, Answer{Status: 422, body: []byte(wrong)}); c.Verdict != compare.Different {
		t.Errorf("another parameter: %s", c.Verdict)
	}
}

// An expected difference is not asked for again, and counts as a verdict of its own.
func TestExpectedDifferencesOfSamples(t *testing.T) {
	const body = `{"metadata_id":5,"checkpoint_date":"2025-10-20"}`
	v := newVerifier(t, Options{Share: 1, Store: says(body), Legacy: oldSays(t, 500, `{}`)})
	v.run(t)
	v.offer(t, "/metadata/5")
	if stats := v.awaitSamples(t, 1); stats.Verdicts[string(Expected)] != 1 {
		t.Errorf("%+v", stats)
	}
	if c := v.verdict(t, "/metadata/5", time.Minute); c.Verdict != Expected || c.Legacy.Status != 500 {
		t.Errorf("%+v", c)
	}
}
