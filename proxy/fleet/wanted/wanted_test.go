package wanted

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// TestReport: a report holds the changes since the last report alone, of the most requested
// keys.
func TestReport(t *testing.T) {
	var c Counter
	for i, step := range []struct{ asked, changes map[string]int64 }{
		{map[string]int64{"a": 5, "b": 3}, map[string]int64{"a": 5, "b": 3}},
		{map[string]int64{"a": 5, "b": 3}, map[string]int64{}},
		{map[string]int64{"a": 2, "c": 1}, map[string]int64{"a": -3, "b": -3, "c": 1}},
		{nil, map[string]int64{"a": -2, "c": -1}},
	} {
		r := c.Report(step.asked)
		if !maps.Equal(r.Changes, step.changes) {
			t.Errorf("%d: %v", i, r.Changes)
		}
		c.Take(r, Counts{})
	}
	many := map[string]int64{}
	for i := range 2 * most {
		many[fmt.Sprint(i)] = int64(i + 1)
	}
	r := c.Report(many)
	if len(r.Changes) != most || r.Changes[fmt.Sprint(2*most-1)] != 2*most || r.Changes[fmt.Sprint(most)] != most+1 {
		t.Errorf("%d keys", len(r.Changes))
	}
}

// TestLostReports: the changes of a report that the level did not take are in the next. A
// report is not sent beside another.
func TestLostReports(t *testing.T) {
	var c Counter
	var sent []map[string]int64
	up := false
	exchange := func(a int64) {
		c.Exchange(map[string]int64{"a": a}, func(r Report) (Counts, bool) {
			sent = append(sent, r.Changes)
			c.Exchange(map[string]int64{"beside": 1}, func(Report) (Counts, bool) {
				t.Error("two reports are under way")
				return Counts{}, true
			})
			return Counts{}, up
		})
	}
	exchange(3)
	exchange(4)
	up = true
	exchange(4)
	exchange(6)
	up = false
	exchange(5)
	up = true
	exchange(1)
	if got, want := fmt.Sprint(sent), "[map[a:3] map[a:4] map[a:4] map[a:2] map[a:-1] map[a:-5]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestTake: once the level has forgotten the counts, the member reports all of them again, and
// keeps its list until the others have done so.
func TestTake(t *testing.T) {
	var c Counter
	asked := map[string]int64{"a": 5}
	reports := func(token string, taken bool, keys ...string) {
		t.Helper()
		r := c.Report(asked)
		if c.Take(r, Counts{Token: token, Keys: keys}) != taken {
			t.Errorf("%s: taken %t", token, !taken)
		}
	}
	reports("1", false)
	if r := c.Report(asked); r.Token != "1" || r.Changes["a"] != 5 || !c.Take(r, Counts{Token: "1", Keys: []string{"b", "a"}}) {
		t.Errorf("%+v", r)
	}
	is := func(want ...string) {
		t.Helper()
		if got := c.Keys(10); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	is("b", "a")
	if got := c.Keys(1); !slices.Equal(got, []string{"b"}) {
		t.Errorf("%q", got)
	}
	reports("2", false)
	for range settling {
		reports("2", true, "a")
		is("b", "a")
	}
	reports("2", true, "a")
	is("a")
	reports("3", false)
	reports("3", true, "x", "y") // more than before
	is("x", "y")
}
