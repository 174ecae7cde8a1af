package scope

import (
	"fmt"
	"strings"
)

// Implausible returns the reason why g, compared with the generation before it, resembles
// an unfinished import: a scope has lost its calculations or more than half of its rows, or
// all calculations are older. It returns the empty text if g is plausible.
func (g *Generation) Implausible(before *Generation) (reason string) {
	after := map[Scope]fingerprint{}
	for i, s := range g.scopes {
		after[s] = g.prints[i]
	}
	var lost, shrunk []string
	for i, s := range before.scopes {
		switch now, ok := after[s]; {
		case !ok:
			lost = append(lost, s.String())
		case 2*now.largest < before.prints[i].largest:
			shrunk = append(shrunk, s.String())
		}
	}
	var reasons []string
	add := func(scopes []string, problem string) {
		if n := len(scopes); n > 0 {
			reasons = append(reasons, fmt.Sprintf("%s %s (%d of %d scopes)", scopes[0], problem, n, len(before.scopes)))
		}
	}
	add(lost, "has no calculation any more")
	add(shrunk, "has under half of its rows")
	if is, was := g.Calculated(), before.Calculated(); len(reasons) == 0 && is < was {
		reasons = append(reasons, fmt.Sprintf("the newest calculation is of %s, before it was of %s", is, was))
	}
	return strings.Join(reasons, "; ")
}
