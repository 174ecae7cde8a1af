package scope

import (
	"fmt"
	"testing"
	"time"
)

// A calculation changes the generation of the scopes that it belongs to, and of no
// other scope.
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

// Calculations of one scope add up, in any order.
func TestNewGenerationAddsUp(t *testing.T) {
	at := time.Date(2025, 10, 26, 22, 25, 0, 0, time.UTC)
	men := Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: Live}
	a, b, c := Calculation{men, 7, at, 40}, Calculation{men, 9, at.Add(time.Hour), 2}, Calculation{men, 8, at.Add(-time.Hour), 100}
	got := NewGeneration(a, b, c)
	if want := "3-9-2025-10-26T23:25:00-5284552500-142"; got.ID() != want || got.Of(men) != want || len(got.Scopes()) != 1 {
		t.Errorf("got %s of %v, want %s", got.ID(), got.Scopes(), want)
	}
	if other := NewGeneration(c, a, b); other.ID() != got.ID() {
		t.Errorf("in another order %s, not %s", other.ID(), got.ID())
	}
	if one := NewGeneration(a).ID(); one != "1-7-2025-10-26T22:25:00-1761517500-40" {
		t.Errorf("of one: %s", one)
	}
}

// Live and Snapshot are the scopes of the newest season and of the newest date.
func TestNewest(t *testing.T) {
	at := time.Date(2025, 10, 26, 22, 25, 0, 0, time.UTC)
	var all []Calculation
	for _, s := range []Scope{
		{"2024", "2030", "M", Live}, {"2025", "2030", "F", Live}, {"2025", "2030", "M", Live}, {"2023", "2030", "M", Live},
		{"2025", "2030", "M", "2025-10-13"}, {"2024", "2031", "M", "2025-10-20"}, {"2025", "2030", "F", "2025-10-20"}, {"2026", "2030", "M", "2024-11-25"},
	} {
		all = append(all, Calculation{s, 1, at, 1})
	}
	g := NewGeneration(all...)
	if got := fmt.Sprint(g.Live()); got != "[2025/2030/F/live 2025/2030/M/live]" {
		t.Errorf("live: %s", got)
	}
	if got := fmt.Sprint(g.Snapshot()); got != "[2024/2031/M/2025-10-20 2025/2030/F/2025-10-20]" {
		t.Errorf("snapshot: %s", got)
	}
	if !g.Has("2025-10-13") || g.Has("2025-10-14") {
		t.Error("Has")
	}
}
