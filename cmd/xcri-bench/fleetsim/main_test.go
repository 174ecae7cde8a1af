package main

import (
	"os"
	"strings"
	"testing"
)

// TestDocument holds that the tables of README.md and the chart are the program's output.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := os.ReadFile("limits.svg")
	if err != nil {
		t.Fatal(err)
	}
	var tables strings.Builder
	s := standard()
	chart := s.print(&tables)
	for part := range strings.SplitSeq(strings.TrimSpace(tables.String()), "\n\n") {
		if !strings.Contains(string(text), part) {
			t.Errorf("README.md does not have\n%s", part)
		}
	}
	if chart.Draw() != string(drawn) {
		t.Error("limits.svg is not the chart: run the program")
	}
}

// TestLimits holds that a faster network lets a larger fleet publish an import in time.
func TestLimits(t *testing.T) {
	slow, fast := standard(), standard()
	fast.model.Network *= 10
	_, before := slow.at(64)
	_, after := fast.at(64)
	if before[network].share <= after[network].share || before[silence].share <= after[silence].share {
		t.Errorf("%+v, %+v", before, after)
	}
}
