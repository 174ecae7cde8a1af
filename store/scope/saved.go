package scope

import "encoding/json"

// saved is the JSON of the calculations of a scope.
type saved struct {
	Scope                Scope
	Count, Newest        int64
	Latest               string
	Times, Rows, Largest int64
}

// MarshalJSON writes the state of the calculations for a later run. It leaves out the
// stamps.
func (g *Generation) MarshalJSON() ([]byte, error) {
	all := make([]saved, 0, len(g.scopes))
	for i, s := range g.scopes {
		f := g.prints[i]
		all = append(all, saved{s, f.count, f.newest, f.latest, f.times, f.rows, f.largest})
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads the text that MarshalJSON wrote.
func (g *Generation) UnmarshalJSON(text []byte) error {
	var all []saved
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	*g = Generation{}
	for _, c := range all {
		g.scopes = append(g.scopes, c.Scope)
		g.prints = append(g.prints, fingerprint{c.Count, c.Newest, c.Latest, c.Times, c.Rows, c.Largest})
	}
	return nil
}
