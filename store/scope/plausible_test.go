package scope_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/scope"
)

var (
	womenLive = scope.Scope{Season: "2025", Division: "2030", Gender: "F", Checkpoint: scope.Live}
	menLive   = scope.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: scope.Live}
	monday    = time.Date(2025, 10, 27, 6, 0, 0, 0, time.UTC)
)

// calculation returns a calculation of a scope with a number of rows, hours after monday.
func calculation(s scope.Scope, rows int64, hours int) scope.Calculation {
	return scope.Calculation{Scope: s, ID: int64(hours) + 1, At: monday.Add(time.Duration(hours) * time.Hour), Rows: rows}
}

// A generation is implausible that has lost a scope, more than half of a scope's rows, or
// the newest calculation. The reason names a scope and how many there are, and an age only
// if that is the only reason.
func TestImplausible(t *testing.T) {
	before := scope.NewGeneration(calculation(womenLive, 100, 0), calculation(menLive, 101, 1))
	for name, tt := range map[string]struct {
		after []scope.Calculation
		want  string
	}{
		"the same":           {[]scope.Calculation{calculation(womenLive, 100, 0), calculation(menLive, 101, 1)}, ""},
		"newer":              {[]scope.Calculation{calculation(womenLive, 100, 0), calculation(menLive, 200, 2)}, ""},
		"half of the rows":   {[]scope.Calculation{calculation(womenLive, 50, 2), calculation(menLive, 51, 3)}, ""},
		"a new scope":        {[]scope.Calculation{calculation(womenLive, 100, 0), calculation(menLive, 101, 1), calculation(scope.Scope{Season: "2026", Division: "1", Gender: "M", Checkpoint: scope.Live}, 1, 2)}, ""},
		"under half of them": {[]scope.Calculation{calculation(womenLive, 100, 0), calculation(menLive, 50, 2)}, "2025/2030/M/live has under half of its rows (1 of 2 scopes)"},
		"a lost scope":       {[]scope.Calculation{calculation(menLive, 101, 2)}, "2025/2030/F/live has no calculation any more (1 of 2 scopes)"},
		"all lost":           {nil, "2025/2030/F/live has no calculation any more (2 of 2 scopes)"},
		"lost and shrunk": {[]scope.Calculation{calculation(menLive, 1, 2)},
			"2025/2030/F/live has no calculation any more (1 of 2 scopes); 2025/2030/M/live has under half of its rows (1 of 2 scopes)"},
		"older": {[]scope.Calculation{calculation(womenLive, 100, 0), calculation(menLive, 101, -1)},
			"the newest calculation is of 2025-10-27T06:00:00, before it was of 2025-10-27T07:00:00"},
	} {
		if got := scope.NewGeneration(tt.after...).Implausible(before); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// A stamp stays the same only if none of its parts changes. The server's clock is no part
// of it, and without a time of an update nothing is known about rows.
func TestStampIsCompared(t *testing.T) {
	s := scope.Stamp{Created: "1", Updated: "2"}
	later := s
	later.Recent = true
	if !s.Same(later) || !s.Known() || (scope.Stamp{Created: "1"}).Known() {
		t.Error("the same stamp is another")
	}
	for _, other := range []scope.Stamp{{Created: "2", Updated: "2"}, {Created: "1", Updated: "1"}, {Created: "1", Updated: "2", Empty: true}, {}} {
		if s.Same(other) || other.Same(s) {
			t.Errorf("%+v and %+v are the same", s, other)
		}
	}
}

// Changed names the scopes that are new, gone or have other rows, in order.
func TestChanged(t *testing.T) {
	first, second, third, fourth := womenLive, menLive, scope.Scope{Season: "2024"}, scope.Scope{Season: "2026"}
	before := map[scope.Scope]scope.Rows{first: {1, "a"}, second: {1, "a"}, third: {1, "a"}}
	after := map[scope.Scope]scope.Rows{first: {2, "a"}, second: {1, "a"}, fourth: {1, "a"}}
	var got []string
	for _, s := range scope.Changed(before, after) {
		got = append(got, s.String())
	}
	if want := third.String() + " " + first.String() + " " + fourth.String(); strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
	if same := scope.Changed(before, before); len(same) > 0 {
		t.Errorf("%v differ from themselves", same)
	}
	after[second] = scope.Rows{Count: 1, Sum: "b"}
	if n := len(scope.Changed(before, after)); n != 4 {
		t.Errorf("%d of 4 changed", n)
	}
}

// An operator's scope has four parts, each of its kind or a star.
func TestParsePattern(t *testing.T) {
	for text, want := range map[string]scope.Scope{
		"2025/2030/M/live":        menLive,
		"*/*/*/*":                 {},
		"2025/*/F/2025-10-27":     {Season: "2025", Gender: "F", Checkpoint: "2025-10-27"},
		"*/2030/*/*":              {Division: "2030"},
		"2025":                    {Season: "no"},
		"2025/2030/X/live":        {Season: "no"},
		"2025/2030/M/later":       {Season: "no"},
		"2025/2030/M/2025-10-2":   {Season: "no"},
		"x/2030/M/live":           {Season: "no"},
		"2025/2030/M/live/more":   {Season: "no"},
		" 2025/2030/M/live":       {Season: "no"},
		"2025/2030/M/2025-10-27x": {Season: "no"},
	} {
		got, err := scope.ParsePattern(text)
		if refused := want.Season == "no"; (err != nil) != refused || !refused && got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}
