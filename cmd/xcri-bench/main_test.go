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

// TestShortLeavesLongChapters holds that a short run measures each chapter that takes seconds,
// names the others, and measures these if -only names them.
func TestShortLeavesLongChapters(t *testing.T) {
	s, err := parse([]string{"-short"})
	if err != nil || !slices.Equal(s.left, []string{"memory", "day", "flat", "season", "visitors", "attack", "held", "fleet", "calibrate"}) || len(s.only)+len(s.left) != len(chapters) {
		t.Errorf("%+v, %v", s, err)
	}
	for _, c := range chapters {
		if slices.Contains(s.only, c.name) != (c.takes == seconds) || slices.Contains(s.left, c.name) != (c.takes == minutes) {
			t.Errorf("%s: measured %v, left %v", c.name, s.only, s.left)
		}
	}
	if s, err := parse([]string{"-short", "-only", "season"}); err != nil || !slices.Equal(s.only, []string{"season"}) || s.left != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := parse(nil); err != nil || s.left != nil {
		t.Errorf("%+v, %v", s, err)
	}
}
