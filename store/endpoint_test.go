package store

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"
)

var inBraces = regexp.MustCompile(`\{([a-z_]+)\}`)

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
