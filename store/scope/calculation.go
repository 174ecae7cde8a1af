package scope

import (
	"slices"
	"time"
)

// Calculation is one calculation of a scope, as a row of the metadata table
// describes it.
type Calculation struct {
	Scope Scope // with all fields
	ID    int64
	At    time.Time
	Rows  int64 // number of rows that it wrote
}

// NewGeneration returns the generation of calculations, in the order of their
// scopes.
func NewGeneration(calculations ...Calculation) *Generation {
	g := &Generation{}
	for _, c := range calculations {
		sum := fingerprint{1, c.ID, c.At.UTC().Format(time.DateTime), c.At.Unix(), c.Rows, c.Rows}
		if i := slices.Index(g.scopes, c.Scope); i >= 0 {
			g.prints[i] = g.prints[i].plus(sum)
			continue
		}
		g.scopes, g.prints = append(g.scopes, c.Scope), append(g.prints, sum)
	}
	return g
}
