package members

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func alive(name string) Heard {
	return Heard{Info: Info{Name: name, Calculated: "2026-10-27"}.Encode()}
}

func gone(name string, ago time.Duration) Heard {
	return Heard{Info: Info{Name: name}.Encode(), Ago: ago, Gone: true}
}

// names returns the names of the members that are alive, and that are gone.
func (l *List) names() string {
	var all []string
	for _, m := range l.All() {
		all = append(all, m.Name)
	}
	all = append(all, "/")
	for _, m := range l.Gone() {
		all = append(all, m.Name)
	}
	return strings.Join(all, ",")
}

// TestNames: the names of all members that are alive differ, as do the names of the members
// that are gone. A name is not gone while a member of that name is alive.
func TestNames(t *testing.T) {
	for want, found := range map[string]map[string]Heard{
		"a,b,/,c":               {"1": alive("a"), "2": alive("b"), "c": gone("c", time.Minute)},
		"a,a (2),a (3),/":       {"1": alive("a"), "2": alive("a"), "3": alive("a"), "a": gone("a", time.Minute)},
		"a,a (2),a (2) (2),/":   {"1": alive("a"), "2": alive("a"), "3": alive("a (2)")},
		"b,/,a":                 {"1": alive("b"), "x": gone("a", time.Hour), "a": gone("a", time.Minute), "y": gone("a", 2*time.Hour), "b": gone("b", time.Second)},
		"/":                     {},
		"4,only,/":              {"1": alive("only"), "2": {Info: []byte("x")}, "3": {Info: []byte(`{"name":7}`)}, "4": {Info: []byte(`{}`)}, "5": {}},
		"\uFFFD[31mred\uFFFD,/": {"1": alive("\x1b[31mred\n")},
	} {
		var l List
		l.Update(found, "1", noon)
		if got := l.names(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		for _, m := range l.Gone() {
			if m.Name == "a" && !m.Heard.Equal(noon.Add(-time.Minute)) {
				t.Errorf("last heard of at %s", m.Heard)
			}
		}
	}
}

// TestDouble: the time from which several members of a name have been alive is kept until one
// of them is left.
func TestDouble(t *testing.T) {
	var l List
	for i, step := range []struct {
		found map[string]Heard
		want  map[string]int // seconds of the begin, by ID
	}{
		{map[string]Heard{"1": alive("a"), "2": alive("b")}, nil},
		{map[string]Heard{"1": alive("a"), "2": alive("b"), "3": alive("a")}, map[string]int{"1": 1, "3": 1}},
		{map[string]Heard{"1": alive("a"), "2": alive("b"), "3": alive("a")}, map[string]int{"1": 1, "3": 1}},
		{map[string]Heard{"1": alive("a"), "3": alive("a"), "4": alive("a")}, map[string]int{"1": 1, "3": 1, "4": 3}},
		{map[string]Heard{"3": alive("a"), "2": alive("b")}, nil},
		{map[string]Heard{"3": alive("a"), "2": alive("a")}, map[string]int{"2": 5, "3": 5}},
	} {
		l.Update(step.found, "1", noon.Add(time.Duration(i)*time.Second))
		n := 0
		for _, m := range l.All() {
			if second, ok := step.want[m.ID]; ok && m.Double.Equal(noon.Add(time.Duration(second)*time.Second)) {
				n++
			} else if !m.Double.IsZero() {
				t.Errorf("%d: %s from %s", i, m.ID, m.Double)
			}
		}
		if n != len(step.want) {
			t.Errorf("%d: %d members of one name", i, n)
		}
	}
}

// TestDamaged: a report that is not understood is counted once while it is there.
func TestDamaged(t *testing.T) {
	var l List
	bad := Heard{Info: []byte("x")}
	for i, step := range []struct {
		found map[string]Heard
		want  int
	}{
		{map[string]Heard{"1": alive("a"), "2": bad}, 1},
		{map[string]Heard{"1": alive("a"), "2": bad, "3": bad}, 1},
		{map[string]Heard{"1": alive("a"), "2": bad, "3": bad}, 0},
		{map[string]Heard{"1": alive("a")}, 0},
		{map[string]Heard{"2": bad}, 1},
	} {
		if n := l.Update(step.found, "1", noon); n != step.want {
			t.Errorf("%d: %d reports, want %d", i, n, step.want)
		}
	}
}

// TestEncode: the texts of a report have limits, and are the same after they were read. A
// generation that is no time is older than every time.
func TestEncode(t *testing.T) {
	long := Info{strings.Repeat("ä\x00", 1<<20), strings.Repeat("\n", 1<<20), strings.Repeat("\u2028", 999), "2025-10-27T06:00:00.000", "\xff"}
	text := long.Encode()
	got, ok := decode("1", text)
	if !ok || len(text) > 4<<10 || got != long.clean() || got.Calculated != long.Calculated || got.Health != "\uFFFD" {
		t.Errorf("%d bytes, %+v", len(text), got)
	}
	if n := len(got.Name); n > mostName || n < mostName-3 || !utf8.ValidString(got.Name) || !strings.HasPrefix(got.Name, "ä\uFFFDä") {
		t.Errorf("%d bytes: %q", n, got.Name)
	}
	for _, field := range []string{got.Version, got.Generation} {
		if n := len(field); n > mostField || n < mostField-3 {
			t.Errorf("%d bytes: %q", n, field)
		}
	}
	short := Info{"host 10.0.0.1:8000", "v1.2", "34-9-2025-10-27T06:00:00-1-2", "2025-10-27 06:00:00", "well"}
	if got, ok := decode("1", short.Encode()); !ok || got != short {
		t.Errorf("%+v", got)
	}
	var l List
	l.Update(map[string]Heard{"1": alive("a"), "2": {Info: []byte(`{"name":"b","calculated_at":"zzz"}`)}}, "1", noon)
	if all := l.All(); !all[0].Behind.IsZero() || all[1].Behind.IsZero() || all[1].Calculated != "" {
		t.Errorf("%+v", all)
	}
}
