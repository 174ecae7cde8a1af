package readapi

import (
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/query"
)

// Least returns the question of an endpoint with the fewest parameters and rows: the
// required parameters, the defaults, and a limit of 1.
func Least(e *Endpoint) Query {
	q := Query{Endpoint: e, Args: make([]query.Arg, len(e.Params))}
	for i, p := range e.Params {
		if p.Required || p.Default != "" {
			q.Args[i] = query.Arg{Given: true, Text: leastText(p, i)}
		}
	}
	return q
}

// leastText returns a valid text for a parameter. Texts of numbers differ by the place of
// the parameter, since some endpoints refuse two equal numbers.
func leastText(p param.Param, place int) string {
	switch {
	case p.Name == "limit":
		return "1"
	case p.Default != "":
		return p.Default
	case p.Kind == param.Choice:
		return p.Choices[0]
	case p.Kind == param.Date:
		return "2025-10-20"
	}
	return string(rune('1' + place%9))
}
