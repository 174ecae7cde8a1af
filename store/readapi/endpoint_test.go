package readapi

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/query"
)

var inBraces = regexp.MustCompile(`\{([a-z_]+)\}`)

func names(matches [][]string) (all []string) {
	for _, m := range matches {
		all = append(all, m[1])
	}
	return all
}

// valueFor is a valid text for a parameter, which few rows or none match.
func valueFor(p param.Param) string {
	switch {
	case p.Kind == param.Choice:
		return p.Choices[0]
	case p.Kind == param.Date:
		return "2025-10-20"
	case p.Default != "":
		return p.Default
	case p.Name == "team_b_id":
		return "20194"
	case p.Kind == param.Int:
		return "20199"
	}
	return `a'?%_"\ñ`
}

func TestEndpoints(t *testing.T) {
	paths := map[string]bool{}
	for _, e := range Endpoints() {
		t.Run(e.Path, func(t *testing.T) {
			if paths[e.Path] {
				t.Error("there twice")
			}
			paths[e.Path] = true
			if e.Answer == nil && e.Refuse == nil {
				t.Error("neither answers nor refuses")
			}
			if n := len(e.Params); n > 16 {
				t.Errorf("%d parameters", n)
			}
			if n := strings.Count(strings.Trim(e.Path, "/"), "/") + 1; n > 6 {
				t.Errorf("%d segments", n)
			}
			var inPath, all []string
			for i, p := range e.Params {
				if p.InPath && i != len(inPath) {
					t.Errorf("%s is in the path, but not first", p.Name)
				}
				if p.InPath {
					inPath = append(inPath, p.Name)
				}
				if slices.Contains(all, p.Name) {
					t.Errorf("%s is there twice", p.Name)
				}
				all = append(all, p.Name)
				checkParam(t, p)
			}
			if got := names(inBraces.FindAllStringSubmatch(e.Path, -1)); !slices.Equal(got, inPath) {
				t.Errorf("the path names %v, the parameters are %v", got, inPath)
			}
			for _, name := range names(inBraces.FindAllStringSubmatch(e.NotFound, -1)) {
				if !slices.Contains(all, name) {
					t.Errorf("the 404 names %s", name)
				}
			}
		})
	}
	if len(paths) < 30 {
		t.Errorf("only %d endpoints", len(paths))
	}
}

func checkParam(t *testing.T, p param.Param) {
	t.Helper()
	switch {
	case p.InPath && !p.Required, p.Required && (p.Default != "" || p.Absent != ""), p.Required && p.Zero:
		t.Errorf("%s is required and may be missing", p.Name)
	case p.Kind != param.Int && (p.Min != nil || p.Max != nil), p.Kind != param.Text && (p.MinLen > 0 || p.Like),
		p.Kind != param.Choice && (p.Fold != nil || p.Pattern != "" || p.Choices != nil), p.Kind == param.Choice && p.Choices == nil:
		t.Errorf("%s has settings of another kind", p.Name)
	case p.Absent != "" && strings.Contains(p.Absent, "?"):
		t.Errorf("%s binds a value that is not there", p.Name)
	}
	if p.Default != "" {
		if text, given, problem := p.Canonical(nil, []byte(p.Default)); string(text) != p.Default || !given || problem != param.OK {
			t.Errorf("%s: the default %q becomes %q %v, problem %d", p.Name, p.Default, text, given, problem)
		}
	}
	for _, c := range p.Choices {
		if text, given, problem := p.Canonical(nil, []byte(c)); string(text) != c || !given || problem != param.OK {
			t.Errorf("%s: the choice %q becomes %q %v, problem %d", p.Name, c, text, given, problem)
		}
		if p.Pattern != "" && !regexp.MustCompile(p.Pattern).MatchString(c) {
			t.Errorf("%s: the choice %q does not match %s", p.Name, c, p.Pattern)
		}
	}
}

// TestWhere: for every choice of parameters, the number of bound values equals the
// number of placeholders in the SQL.
func TestWhere(t *testing.T) {
	for _, e := range Endpoints() {
		for given := range 1 << len(e.Params) {
			q := query.Query{Endpoint: e, Args: make([]query.Arg, len(e.Params))}
			for i, p := range e.Params {
				if given>>i&1 == 1 {
					q.Args[i] = query.Arg{Given: true, Text: valueFor(p)}
				}
			}
			condition, args := q.Where()
			if n := strings.Count(condition, "?"); n != len(args) {
				t.Fatalf("%s: %d places for %d values: %s", e.Path, n, len(args), condition)
			}
			if strings.HasPrefix(condition, " AND") || strings.HasSuffix(condition, "AND ") || strings.Contains(condition, "AND  AND") {
				t.Fatalf("%s: %s", e.Path, condition)
			}
		}
	}
}

func TestExpand(t *testing.T) {
	q := asked(t, "/teams/{team_hnd}/resume", map[string]string{"team_hnd": "07", "division": "0", "gender": "m"})
	if got, want := detail(t, q), "Season resume not found for team 7 (season=2025, division=0, gender=m)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	q = asked(t, "/teams/{team_hnd}/resume", map[string]string{"team_hnd": "-7"})
	if got, want := detail(t, q), "Season resume not found for team -7 (season=2025, division=None, gender=None)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnknownParameterPanics(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "/health has no parameter limit") {
			t.Errorf("got %q", got)
		}
	}()
	asked(t, "/health", nil).Arg("limit")
}

func TestLongDate(t *testing.T) {
	for day, want := range map[string]string{
		"2025-10-20": "October 20, 2025", "2025-10-05": "October 05, 2025", "2024-02-29": "February 29, 2024", "0000-00-00": "0000-00-00",
	} {
		if got := longDate(day); got != want {
			t.Errorf("%s: %q, want %q", day, got, want)
		}
	}
}

func asked(t testing.TB, path string, given map[string]string) query.Query {
	t.Helper()
	i := slices.IndexFunc(Endpoints(), func(e *query.Endpoint) bool { return e.Path == path })
	if i < 0 {
		t.Fatalf("no endpoint %s", path)
	}
	e := Endpoints()[i]
	q := query.Query{Endpoint: e, Args: make([]query.Arg, len(e.Params))}
	for i := range e.Params {
		p := &e.Params[i]
		if raw, ok := given[p.Name]; ok {
			text, isGiven, problem := p.Canonical(nil, []byte(raw))
			if problem != param.OK {
				t.Fatalf("%s %v: problem %d", path, given, problem)
			}
			q.Args[i] = query.Arg{Given: isGiven, Text: string(text)}
		} else if p.Default != "" {
			q.Args[i] = query.Arg{Given: true, Text: p.Default}
		}
	}
	return q
}

// nothing is a database without rows.
type nothing struct{}

func (nothing) Rows(string, []any, func([]driver.Value) error) error { return nil }

// detail returns the detail of the 404 answer to a question.
func detail(t *testing.T, q query.Query) string {
	t.Helper()
	a, err := q.Run(nothing{}, query.State{})
	var body struct{ Detail string }
	if err != nil || a.Status != 404 || json.Unmarshal(a.Body, &body) != nil {
		t.Fatalf("%d %s, %v", a.Status, a.Body, err)
	}
	return body.Detail
}
