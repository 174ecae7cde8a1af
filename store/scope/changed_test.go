package scope

import (
	"reflect"
	"testing"
	"time"
)

// TestChanged: a scope has changed if its calculations were added, replaced or removed,
// and in no other case.
func TestChanged(t *testing.T) {
	men, women := Scope{"2025", "2030", "M", Live}, Scope{"2025", "2030", "F", Live}
	of := func(s Scope, id, rows int64) Calculation {
		return Calculation{Scope: s, ID: id, At: time.Unix(id, 0), Rows: rows}
	}
	base := NewGeneration(of(men, 1, 10), of(women, 2, 10))
	for name, tt := range map[string]struct {
		after *Generation
		want  []Scope
	}{
		"the same":     {NewGeneration(of(women, 2, 10), of(men, 1, 10)), nil},
		"an import":    {NewGeneration(of(men, 3, 10), of(women, 2, 10)), []Scope{men}},
		"other rows":   {NewGeneration(of(men, 1, 10), of(women, 2, 11)), []Scope{women}},
		"a new scope":  {NewGeneration(of(men, 1, 10), of(women, 2, 10), of(Scope{"2026", "1", "F", "2025-10-27"}, 4, 1)), []Scope{{"2026", "1", "F", "2025-10-27"}}},
		"a lost scope": {NewGeneration(of(men, 1, 10)), []Scope{women}},
		"none left":    {NewGeneration(), []Scope{men, women}},
	} {
		if got := tt.after.Changed(base); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	if got := base.Changed(NewGeneration()); len(got) != 2 {
		t.Errorf("%v", got)
	}
}
