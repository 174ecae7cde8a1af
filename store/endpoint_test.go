package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var inBraces = regexp.MustCompile(`\{([a-z_]+)\}`)

func names(matches [][]string) (all []string) {
	for _, m := range matches {
		all = append(all, m[1])
	}
	return all
}

func TestEndpoints(t *testing.T) {
	paths := map[string]bool{}
	for _, e := range Endpoints() {
		t.Run(e.Path, func(t *testing.T) {
			if paths[e.Path] {
				t.Error("there twice")
			}
			paths[e.Path] = true
			if e.answer == nil && e.refuse == nil {
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
			for _, name := range names(inBraces.FindAllStringSubmatch(e.notFound, -1)) {
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

func checkParam(t *testing.T, p Param) {
	t.Helper()
	switch {
	case p.InPath && !p.Required, p.Required && (p.Default != "" || p.Absent != ""), p.Required && p.Zero:
		t.Errorf("%s is required and may be missing", p.Name)
	case p.Kind != Int && (p.Min != nil || p.Max != nil), p.Kind != Text && (p.MinLen > 0 || p.Like),
		p.Kind != Choice && (p.Fold != nil || p.Pattern != "" || p.Choices != nil), p.Kind == Choice && p.Choices == nil:
		t.Errorf("%s has settings of another kind", p.Name)
	case p.Absent != "" && strings.Contains(p.Absent, "?"):
		t.Errorf("%s binds a value that is not there", p.Name)
	}
	if p.Default != "" {
		if text, given, problem := p.Canonical(nil, []byte(p.Default)); string(text) != p.Default || !given || problem != OK {
			t.Errorf("%s: the default %q becomes %q %v, problem %d", p.Name, p.Default, text, given, problem)
		}
	}
	for _, c := range p.Choices {
		if text, given, problem := p.Canonical(nil, []byte(c)); string(text) != c || !given || problem != OK {
			t.Errorf("%s: the choice %q becomes %q %v, problem %d", p.Name, c, text, given, problem)
		}
		if p.Pattern != "" && !regexp.MustCompile(p.Pattern).MatchString(c) {
			t.Errorf("%s: the choice %q does not match %s", p.Name, c, p.Pattern)
		}
	}
}

// valueFor is a valid text for a parameter, which few rows or none match.
func valueFor(p Param) string {
	switch {
	case p.Kind == Choice:
		return p.Choices[0]
	case p.Kind == Date:
		return "2025-10-20"
	case p.Default != "":
		return p.Default
	case p.Name == "team_b_id":
		return "20194"
	case p.Kind == Int:
		return "20199"
	}
	return `a'?%_"\ñ`
}

// TestWhere: for every choice of parameters, as many values are bound as the
// SQL has places for.
func TestWhere(t *testing.T) {
	for _, e := range Endpoints() {
		for given := range 1 << len(e.Params) {
			q := Query{Endpoint: e, Args: make([]Arg, len(e.Params))}
			for i, p := range e.Params {
				if given>>i&1 == 1 {
					q.Args[i] = Arg{true, valueFor(p)}
				}
			}
			condition, args := q.where()
			if n := strings.Count(condition, "?"); n != len(args) {
				t.Fatalf("%s: %d places for %d values: %s", e.Path, n, len(args), condition)
			}
			if strings.HasPrefix(condition, " AND") || strings.HasSuffix(condition, "AND ") || strings.Contains(condition, "AND  AND") {
				t.Fatalf("%s: %s", e.Path, condition)
			}
		}
	}
}

// TestEveryEndpoint asks each with all parameters, with none that it can do
// without, and with each alone.
func TestEveryEndpoint(t *testing.T) {
	opts, _ := emptyTables(t)
	for name, s := range map[string]*Store{"sample": open(t, options(t)), "empty": open(t, opts)} {
		for _, e := range Endpoints() {
			for alone := -2; alone < len(e.Params); alone++ {
				given := texts{}
				for i, p := range e.Params {
					if p.Required || alone == i || alone == -1 {
						given[p.Name] = valueFor(p)
					}
				}
				q, problem := question(e, given)
				if problem != OK {
					t.Fatalf("%s %v: problem %d", e.Path, given, problem)
				}
				a, err := s.Run(t.Context(), q)
				if err != nil || !json.Valid(a.Body) || !slices.Contains([]int{200, 404, 501}, a.Status) {
					t.Errorf("%s: %s %v: %d %.300s %v", name, e.Path, given, a.Status, a.Body, err)
				}
				if a.Status == 404 && inBraces.Match(a.Body[1:]) {
					t.Errorf("%s: %s", e.Path, a.Body)
				}
			}
		}
	}
}

func TestExpand(t *testing.T) {
	q := query(t, "/teams/{team_hnd}/resume", texts{"team_hnd": "07", "division": "0", "gender": "m"})
	if got, want := q.expand(q.notFound), "Season resume not found for team 7 (season=2025, division=0, gender=m)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	q = query(t, "/teams/{team_hnd}/resume", texts{"team_hnd": "-7"})
	if got, want := q.expand(q.notFound), "Season resume not found for team -7 (season=2025, division=None, gender=None)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBind(t *testing.T) {
	huge := strings.Repeat("9", 100)
	for _, tt := range []struct {
		param Param
		text  string
		want  any
	}{
		{Param{Kind: Int}, "7", int64(7)}, {Param{Kind: Int}, huge, int64(1 << 62)}, {Param{Kind: Int}, "-" + huge, int64(-1 << 62)},
		{Param{Kind: Text}, "a%", "a%"}, {Param{Kind: Text, Like: true}, "a%", "%a%%"}, {Param{Kind: Choice}, "M", "M"},
		{Param{Kind: Date}, "2025-10-20", "2025-10-20"}, {Param{Kind: Date}, noDate, nil}, {Param{Kind: Date, Echo: true}, "2025/1/5", "2025-01-05"},
	} {
		if got := tt.param.bind(tt.text); got != tt.want {
			t.Errorf("%.20q: got %#v, want %#v", tt.text, got, tt.want)
		}
	}
}

func TestUnknownParameterPanics(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "/health has no parameter limit") {
			t.Errorf("got %q", got)
		}
	}()
	query(t, "/health", nil).Arg("limit")
}

func TestRefusedError(t *testing.T) {
	r := &read{Query: query(t, "/metadata/{metadata_id}", texts{"metadata_id": "9"})}
	var refused *refusedError
	if err := r.missing(); !errors.As(err, &refused) || refused.answer.Status != 404 || err.Error() != `{"detail":"Metadata record 9 not found"}` {
		t.Errorf("got %v", err)
	}
}
