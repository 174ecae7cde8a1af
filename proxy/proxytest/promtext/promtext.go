// Package promtext reads the text format of Prometheus in tests.
package promtext

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Family is a family of metrics.
type Family struct {
	Kind, Help string
	Samples    []Sample
}

// Sample is one value of a family.
type Sample struct {
	Name   string
	Labels map[string]string
	Value  float64
}

var (
	nameForm  = regexp.MustCompile(`^(xcri|process|go)_[a-z0-9_]+$`)
	lineForm  = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelForm = regexp.MustCompile(`^([a-z_][a-z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)`)
	unescape  = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n")
)

// Parse parses the text format strictly by its specification: HELP, then TYPE, then
// the samples of the family, each once. A violation fails the test.
func Parse(t testing.TB, text string) map[string]*Family {
	t.Helper()
	families := map[string]*Family{}
	var now *Family
	var name string
	seen := map[string]bool{}
	if !strings.HasSuffix(text, "\n") {
		t.Error("no newline at the end")
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			var help string
			name, help, _ = strings.Cut(rest, " ")
			if families[name] != nil || help == "" || !nameForm.MatchString(name) {
				t.Errorf("again, or wrong: %s", line)
			}
			now = &Family{Help: help}
			families[name] = now
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			of, kind, _ := strings.Cut(rest, " ")
			if of != name || now.Kind != "" || !slices.Contains([]string{"counter", "gauge", "histogram", "summary"}, kind) {
				t.Errorf("out of place: %s", line)
			}
			now.Kind = kind
			continue
		}
		parts := lineForm.FindStringSubmatch(line)
		if parts == nil || now == nil || now.Kind == "" || seen[parts[1]+parts[2]] {
			t.Fatalf("not a sample, or twice: %q", line)
		}
		seen[parts[1]+parts[2]] = true
		value, err := strconv.ParseFloat(parts[3], 64)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		now.Samples = append(now.Samples, Sample{parts[1], parseLabels(t, parts[2]), value})
	}
	for name, f := range families {
		f.check(t, name)
	}
	return families
}

func parseLabels(t testing.TB, text string) map[string]string {
	labels := map[string]string{}
	for text != "" {
		l := labelForm.FindStringSubmatch(text)
		if l == nil {
			t.Fatalf("labels: %q", text)
		}
		if _, again := labels[l[1]]; again {
			t.Errorf("label %s twice", l[1])
		}
		labels[l[1]] = unescape.Replace(l[2])
		text = text[len(l[0]):]
	}
	return labels
}

// check checks a family against the rules of its type.
func (f *Family) check(t testing.TB, name string) {
	if (f.Kind == "counter") != strings.HasSuffix(name, "_total") {
		t.Errorf("%s is a %s", name, f.Kind)
	}
	suffixes := map[string][]string{"counter": {""}, "gauge": {""}, "summary": {"", "_sum", "_count"}, "histogram": {"_bucket", "_sum", "_count"}}[f.Kind]
	last := map[string]Sample{}
	for _, s := range f.Samples {
		suffix, ok := strings.CutPrefix(s.Name, name)
		if !ok || !slices.Contains(suffixes, suffix) {
			t.Errorf("%s in %s", s.Name, name)
		}
		if _, quantile := s.Labels["quantile"]; quantile != (f.Kind == "summary" && suffix == "") {
			t.Errorf("%+v in a %s", s, f.Kind)
		}
		if f.Kind == "counter" && (s.Value < 0 || math.IsNaN(s.Value)) {
			t.Errorf("%s %v", s.Name, s.Value)
		}
		if suffix == "_bucket" {
			le, err := strconv.ParseFloat(s.Labels["le"], 64)
			before := last[s.Labels["route"]]
			bound, _ := strconv.ParseFloat(before.Labels["le"], 64)
			if err != nil || before.Name != "" && (le <= bound || s.Value < before.Value) {
				t.Errorf("%+v after %+v", s, before)
			}
			last[s.Labels["route"]] = s
		}
		if suffix == "_count" && f.Kind == "histogram" {
			if top := last[s.Labels["route"]]; top.Labels["le"] != "+Inf" || top.Value != s.Value {
				t.Errorf("%+v, but %+v", s, top)
			}
		}
	}
}

// One returns the only sample with a label.
func (f *Family) One(t testing.TB, label, value string) Sample {
	t.Helper()
	var found []Sample
	for _, s := range f.Samples {
		if s.Labels[label] == value {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d samples with %s=%s", len(found), label, value)
	}
	return found[0]
}
