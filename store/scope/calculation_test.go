package scope

import (
	"testing"
	"time"
)

// A calculation changes the generation of the scopes that it belongs to, and of no
// other.
func TestNewGeneration(t *testing.T) {
	men := Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: Live}
	women := Scope{Season: "2025", Division: "2030", Gender: "F", Checkpoint: Live}
	first := Calculation{men, 1, time.Date(2025, 10, 26, 22, 25, 0, 0, time.UTC), 40}
	before := NewGeneration(first)
	after := NewGeneration(first, Calculation{women, 2, first.At.Add(time.Hour), 30}, Calculation{women, 3, first.At, 30})
	if before.Of(men) != after.Of(men) || before.Of(women) == after.Of(women) || before.ID() == after.ID() {
		t.Errorf("%s, %s: %s, %s", before.Of(men), before.Of(women), after.Of(men), after.Of(women))
	}
	if got := after.Calculated(); got != "2025-10-26T23:25:00" || len(after.Live()) != 2 {
		t.Errorf("calculated at %s, %v", got, after.Live())
	}
}
