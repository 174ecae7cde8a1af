package scope

// Changed returns the scopes whose calculations differ between two generations, each with
// all fields, in the order of g and then of before.
func (g *Generation) Changed(before *Generation) (changed []Scope) {
	was := map[Scope]fingerprint{}
	for i, s := range before.scopes {
		was[s] = before.prints[i]
	}
	for i, s := range g.scopes {
		if was[s] != g.prints[i] { // no scope has zero calculations
			changed = append(changed, s)
		}
		delete(was, s)
	}
	for _, s := range before.scopes {
		if _, gone := was[s]; gone {
			changed = append(changed, s)
		}
	}
	return changed
}
