package series

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// byPart selects keys with a part; the selector "all" selects all keys.
func byPart(kind string, data json.RawMessage) func(string) bool {
	var part string
	if kind != "part" || json.Unmarshal(data, &part) != nil {
		return nil
	}
	return func(key string) bool { return strings.Contains(key, part) }
}

func cut(id, part string) Cut {
	data, _ := json.Marshal(part)
	return Cut{ID: id, Kind: "part", Data: data}
}

// after returns the series that follows purges.
func after(text string, cuts ...Cut) *Series {
	for _, c := range cuts {
		text = Parse(text, byPart).After(c)
	}
	return Parse(text, byPart)
}

// TestNames: a purge changes the names of the keys that it selects, after any purges
// before, and no others.
func TestNames(t *testing.T) {
	keys := []string{"a", "b", "ab", "c"}
	s, texts := Parse("base", byPart), map[string]bool{}
	for i, part := range []string{"a", "b", "a", "ab", "c", "b", "a"} {
		next := after(s.Text(), cut(fmt.Sprint("cut", i), part))
		for _, key := range keys {
			if selected := strings.Contains(key, part); (s.Of(key) != next.Of(key)) != selected {
				t.Errorf("purge %d of %s: the name of %s was %s and is %s", i, part, key, s.Of(key), next.Of(key))
			}
		}
		if texts[next.Text()] || len(next.cuts) > 4 {
			t.Errorf("purge %d: text %q, %d cuts", i, next.Text(), len(next.cuts))
		}
		texts[next.Text()] = true
		s = next
	}
	for _, key := range keys {
		if after(s.Text(), Cut{ID: "last", Kind: "all"}).Of(key) != "last" {
			t.Errorf("a purge of everything leaves the name of %s", key)
		}
	}
}

// TestBounds: a series with too many or too large cuts begins a new base.
func TestBounds(t *testing.T) {
	s, bases := Parse("base", byPart), 0
	for i := range 3 * mostCuts {
		part := fmt.Sprint("part", i)
		if i == mostCuts+4 {
			part = strings.Repeat("x", longest)
		}
		before := s
		s = after(s.Text(), cut(fmt.Sprint("cut", i), part))
		if len(s.cuts) > mostCuts || len(s.Text()) > longest || s.Of(part) == before.Of(part) {
			t.Errorf("purge %d: %d cuts, %d bytes, %s", i, len(s.cuts), len(s.Text()), s.Of(part))
		}
		if s.base != before.base {
			bases++
		}
	}
	if bases != 3 {
		t.Errorf("%d new bases", bases)
	}
}

// TestForeignTexts: a text of another form is a base, and a cut that is not understood selects
// all keys.
func TestForeignTexts(t *testing.T) {
	for _, text := range []string{"", "base", "base.", "base.!", "base.e30", "a.b.c"} {
		if s := Parse(text, byPart); s.Of("key") != text || s.Text() != text {
			t.Errorf("%q: %q, %q", text, s.Of("key"), s.Text())
		}
	}
	s := after("base", cut("one", "a"))
	foreign := Parse(s.Text(), func(string, json.RawMessage) func(string) bool { return nil })
	if foreign.Of("a") != s.Of("a") || foreign.Of("b") != s.Of("a") || s.Of("b") != "base" {
		t.Errorf("%s, %s", foreign.Of("a"), foreign.Of("b"))
	}
}
