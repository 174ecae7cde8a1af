package scope

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// A generation that is written and read again is the same.
func TestSavedGeneration(t *testing.T) {
	men := Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: Live}
	for _, g := range []*Generation{
		NewGeneration(),
		NewGeneration(Calculation{Scope: men, ID: 1, At: time.Unix(1, 0), Rows: 10}, Calculation{Scope: men, ID: 2, At: time.Unix(5, 0), Rows: 4},
			Calculation{Scope: Scope{"2024", "", "F", "2024-10-20"}, ID: 9, At: time.Unix(7, 0), Rows: 3}),
	} {
		text, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		var again *Generation
		if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again, g) {
			t.Errorf("%s: got %+v, %v, want %+v", text, again, err, g)
		}
		if err := json.Unmarshal(text, again); err != nil || !reflect.DeepEqual(again, g) {
			t.Errorf("%s: read twice: got %+v, %v", text, again, err)
		}
		if again.ID() != g.ID() || again.Of(men) != g.Of(men) {
			t.Errorf("%s: another ID", text)
		}
	}
	for _, text := range []string{`{}`, `[{"Scope":"2025"}]`, `[{"Scope":1}]`, `"x"`} {
		var g *Generation
		if err := json.Unmarshal([]byte(text), &g); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}
