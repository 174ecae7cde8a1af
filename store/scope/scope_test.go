package scope

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

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

// TestDated: the list of snapshots depends on every snapshot, and on no live
// calculation.
func TestDated(t *testing.T) {
	all, snapshot, live := Scope{Checkpoint: Dated}, Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: "2025-10-20"}, Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: Live}
	if !all.Covers(snapshot) || all.Covers(live) || snapshot.Covers(all) {
		t.Error("Covers")
	}
	if !all.Overlaps(snapshot) || !snapshot.Overlaps(all) || all.Overlaps(live) || live.Overlaps(all) || !all.Overlaps(Scope{}) || !(Scope{}).Overlaps(all) {
		t.Error("Overlaps")
	}
}

// everyScope returns all combinations of the given values and of empty fields.
func everyScope(seasons, divisions, genders, checkpoints []string) (all []Scope) {
	for _, s := range seasons {
		for _, d := range divisions {
			for _, g := range genders {
				for _, c := range checkpoints {
					all = append(all, Scope{s, d, g, c})
				}
			}
		}
	}
	return all
}

// TestSets: Covers and Overlaps agree with the sets of calculations that the scopes
// stand for.
func TestSets(t *testing.T) {
	scopes := everyScope([]string{"", "2024", "2025"}, []string{"", "2030", "2031"}, []string{"", "F", "M"},
		[]string{"", Live, Dated, "2025-10-20", "2025-10-27"})
	calculations := everyScope([]string{"2024", "2025", "2026"}, []string{"2030", "2031", "2032"}, []string{"F", "M", "X"},
		[]string{Live, "2025-10-20", "2025-10-27", "2025-11-03"})
	in := func(s Scope) map[Scope]bool {
		set := map[Scope]bool{}
		for _, c := range calculations {
			if (s.Season == "" || s.Season == c.Season) && (s.Division == "" || s.Division == c.Division) && (s.Gender == "" || s.Gender == c.Gender) &&
				(s.Checkpoint == "" || s.Checkpoint == c.Checkpoint || s.Checkpoint == Dated && c.Checkpoint != Live) {
				set[c] = true
			}
		}
		return set
	}
	sets := map[Scope]map[Scope]bool{}
	for _, s := range scopes {
		sets[s] = in(s)
	}
	for _, a := range scopes {
		for _, c := range calculations {
			if got := a.Covers(c); got != sets[a][c] {
				t.Fatalf("%s covers %s: %t", a, c, got)
			}
		}
		for _, b := range scopes {
			shared, within := false, true
			for c := range sets[b] {
				shared = shared || sets[a][c]
				within = within && sets[a][c]
			}
			if got := a.Overlaps(b); got != shared {
				t.Fatalf("%s overlaps %s: %t", a, b, got)
			}
			if got := a.Covers(b); got != within {
				t.Fatalf("%s covers %s: %t", a, b, got)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for _, s := range everyScope([]string{"", "2025"}, []string{"", "2030"}, []string{"", "M"}, []string{"", Live, Dated, "2025-10-20"}) {
		if got, err := Parse(s.String()); got != s || err != nil {
			t.Errorf("%s is read back as %s, %v", s, got, err)
		}
	}
	if got, want := (Scope{Season: "2025", Checkpoint: Live}).String(), "2025/*/*/live"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestScopeIsText: scopes are keys and values of JSON in the text of String, and a text of
// another form is refused.
func TestScopeIsText(t *testing.T) {
	want := map[Scope]Scope{{"2025", "2030", "M", Live}: {}, {"2025", "", "F", "2025-10-20"}: {"2024", "2030", "", ""}}
	text, err := json.Marshal(want)
	if err != nil || string(text) != `{"2025/*/F/2025-10-20":"2024/2030/*/*","2025/2030/M/live":"*/*/*/*"}` {
		t.Errorf("%s, %v", text, err)
	}
	var got map[Scope]Scope
	if err := json.Unmarshal(text, &got); err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"2025/2030":"*/*/*/*"}`), &got); err == nil || !strings.Contains(err.Error(), "want season/division/gender/checkpoint") {
		t.Errorf("a text of two parts: %v", err)
	}
}
