package main

import (
	"slices"
	"testing"
)

// TestParse holds that -only takes names of chapters, all of them without it.
func TestParse(t *testing.T) {
	if s, err := parse(nil); err != nil || len(s.only) != len(chapters) || s.lab.Plan.Short {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := parse([]string{"-short", "-only", "304,herd"}); err != nil || !slices.Equal(s.only, []string{"304", "herd"}) || !s.lab.Plan.Short {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := parse([]string{"-only", "heard"}); err == nil {
		t.Errorf("%+v and no error", s)
	}
}
