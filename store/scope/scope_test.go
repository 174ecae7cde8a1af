package scope

import "testing"

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "2025", "2025/2030/M", "2025/2030/M/live/", "a/b/c/d/e"} {
		if s, err := Parse(text); err == nil {
			t.Errorf("%q is read as %s", text, s)
		}
	}
}

func TestCovers(t *testing.T) {
	d1Men := Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: Live}
	for _, tt := range []struct {
		scope Scope
		want  bool
	}{
		{Scope{}, true}, {d1Men, true},
		{Scope{Season: "2025"}, true}, {Scope{Season: "2024"}, false},
		{Scope{Division: "2030"}, true}, {Scope{Division: "203"}, false},
		{Scope{Gender: "M"}, true}, {Scope{Gender: "F"}, false},
		{Scope{Checkpoint: Live}, true}, {Scope{Checkpoint: "2025-10-20"}, false},
		{Scope{Season: "2025", Division: "", Gender: "M", Checkpoint: ""}, true}, {Scope{Season: "2025", Division: "2030", Gender: "F", Checkpoint: Live}, false},
	} {
		if got := tt.scope.Covers(d1Men); got != tt.want {
			t.Errorf("%s covers %s: %t", tt.scope, d1Men, got)
		}
	}
	if d1Men.Covers(Scope{}) {
		t.Error("one calculation covers all")
	}
}

// TestDated: the list of snapshots depends on all of them, and on nothing live.
func TestDated(t *testing.T) {
	all, snapshot, live := Scope{Checkpoint: Dated}, Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: "2025-10-20"}, Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: Live}
	if !all.Covers(snapshot) || all.Covers(live) || snapshot.Covers(all) {
		t.Error("Covers")
	}
	if !all.Overlaps(snapshot) || !snapshot.Overlaps(all) || all.Overlaps(live) || live.Overlaps(all) || !all.Overlaps(Scope{}) || !(Scope{}).Overlaps(all) {
		t.Error("Overlaps")
	}
}
