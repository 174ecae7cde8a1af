package cache

import "testing"

func TestOutcomeNames(t *testing.T) {
	seen := map[string]bool{}
	for o := range Outcomes {
		if name := o.String(); name == "" || seen[name] {
			t.Errorf("outcome %d has the name %q", o, name)
		}
		seen[o.String()] = true
	}
}
