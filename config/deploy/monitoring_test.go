package deploy

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/promtext"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

const rulesFile = "monitoring/xcri-proxy.rules.yml"

// TestMonitoring holds that Prometheus accepts the configuration, and that each
// alert fires and stays quiet as its tests state.
func TestMonitoring(t *testing.T) {
	promtool := need.Program(t, "promtool", "prometheus")
	for _, args := range [][]string{
		{"check", "config", "monitoring/prometheus.yml"},
		{"check", "rules", "--lint-fatal", rulesFile},
		{"test", "rules", "monitoring/xcri-proxy.test.yml"},
	} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

var (
	alertLine = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)
	exprLine  = regexp.MustCompile(`(?m)^ +expr: (.+)$`)
	quietTest = regexp.MustCompile(`\balertname: (\w+)}`)
	firedTest = regexp.MustCompile(`\balertname: (\w+)\n +exp_alerts:\n +- `)
	aSeries   = regexp.MustCompile(`series: '(.+?)'`)
)

// TestAlertsAreTested holds that each alert has a test in which it fires, and one
// in which it does not, and is in the document.
func TestAlertsAreTested(t *testing.T) {
	tests := readText(t, "monitoring/xcri-proxy.test.yml")
	alerts := found(alertLine, readText(t, rulesFile))
	if len(alerts) < 8 {
		t.Fatalf("%d alerts: the pattern finds too few", len(alerts))
	}
	document := readText(t, "README.md")
	quiet, fired := found(quietTest, tests), found(firedTest, tests)
	for _, alert := range alerts {
		if !slices.Contains(quiet, alert) || !slices.Contains(fired, alert) {
			t.Errorf("%s has no test that it fires, or none that it does not", alert)
		}
		if !strings.Contains(document, "`"+alert+"`") {
			t.Errorf("README.md does not list %s", alert)
		}
	}
}

// TestAlertsUseRealMetrics holds that each metric and label value of an alert, and
// each metric of an alert's test, is in the answer of a running proxy.
func TestAlertsUseRealMetrics(t *testing.T) {
	proxy := startProxy(t)
	request{target: "/iz/xcri/api/teams/"}.ask(t, proxy.url())
	families := promtext.Parse(t, request{target: "/metrics", host: "localhost"}.ask(t, proxy.url()).body)
	names := map[string]*promtext.Family{"up": {}} // by Prometheus itself
	for name, family := range families {
		names[name] = family
		if family.Kind == "histogram" || family.Kind == "summary" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				names[name+suffix] = family
			}
		}
	}
	rules := readText(t, rulesFile)
	exprs := found(exprLine, rules)
	if len(exprs) != len(found(alertLine, rules)) {
		t.Fatalf("%d expressions of %d alerts: write each on one line", len(exprs), len(found(alertLine, rules)))
	}
	used := 0
	for _, expr := range append(exprs, found(aSeries, readText(t, "monitoring/xcri-proxy.test.yml"))...) {
		for _, s := range selectors(expr) {
			used++
			family := names[s.name]
			if family == nil {
				t.Errorf("%s: no metric %s", expr, s.name)
				continue
			}
			for _, value := range s.values["outcome"] {
				if !slices.ContainsFunc(family.Samples, func(m promtext.Sample) bool { return m.Labels["outcome"] == value }) {
					t.Errorf("%s: %s has no outcome %s", expr, s.name, value)
				}
			}
		}
	}
	if used < 30 {
		t.Errorf("%d selectors: the pattern finds too few", used)
	}
}

// selector is a metric in an expression, with the values of its labels.
type selector struct {
	name   string
	values map[string][]string
}

var (
	grouping   = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right) \([^)]*\)`)
	quoted     = regexp.MustCompile(`(\w+)=~?"([^"]*)"`)
	identifier = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})?(\s*\()?`)
	duration   = regexp.MustCompile(`\[[^\]]*\]`)
	operators  = []string{"and", "or", "unless", "bool", "sum", "max", "min", "avg", "count"}
)

// selectors returns the metrics of an expression: its identifiers that are not
// functions, operators or labels.
func selectors(expr string) (list []selector) {
	expr = duration.ReplaceAllString(grouping.ReplaceAllString(expr, " "), "")
	for _, m := range identifier.FindAllStringSubmatch(expr, -1) {
		if m[3] != "" || slices.Contains(operators, m[1]) {
			continue
		}
		s := selector{name: m[1], values: map[string][]string{}}
		for _, label := range quoted.FindAllStringSubmatch(m[2], -1) {
			s.values[label[1]] = strings.Split(label[2], "|")
		}
		list = append(list, s)
	}
	return list
}

// found returns the first group of each match.
func found(pattern *regexp.Regexp, text string) (groups []string) {
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		groups = append(groups, m[1])
	}
	return groups
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
