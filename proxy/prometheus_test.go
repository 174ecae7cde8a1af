package proxy

import (
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// promFamily is a family of metrics as a strict reader finds it.
type promFamily struct {
	kind, help string
	samples    []promSample
}

type promSample struct {
	name   string
	labels map[string]string
	value  float64
}

var (
	promName   = regexp.MustCompile(`^xcri_[a-z0-9_]+$`)
	promLine   = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	promLabel  = regexp.MustCompile(`^([a-z_][a-z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)`)
	promUnslip = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n")
)

// parseMetrics reads the text format as strictly as it is written down: HELP,
// then TYPE, then the family's samples, each but once.
func parseMetrics(t testing.TB, text string) map[string]*promFamily {
	t.Helper()
	families := map[string]*promFamily{}
	var now *promFamily
	var name string
	seen := map[string]bool{}
	if !strings.HasSuffix(text, "\n") {
		t.Error("no newline at the end")
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			var help string
			name, help, _ = strings.Cut(rest, " ")
			if families[name] != nil || help == "" || !promName.MatchString(name) {
				t.Errorf("again, or wrong: %s", line)
			}
			now = &promFamily{help: help}
			families[name] = now
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			of, kind, _ := strings.Cut(rest, " ")
			if of != name || now.kind != "" || !slices.Contains([]string{counter, gauge, histogram, summary}, kind) {
				t.Errorf("out of place: %s", line)
			}
			now.kind = kind
			continue
		}
		parts := promLine.FindStringSubmatch(line)
		if parts == nil || now == nil || now.kind == "" || seen[parts[1]+parts[2]] {
			t.Fatalf("not a sample, or twice: %q", line)
		}
		seen[parts[1]+parts[2]] = true
		value, err := strconv.ParseFloat(parts[3], 64)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		now.samples = append(now.samples, promSample{parts[1], parseLabels(t, parts[2]), value})
	}
	for name, f := range families {
		f.check(t, name)
	}
	return families
}

func parseLabels(t testing.TB, text string) map[string]string {
	labels := map[string]string{}
	for text != "" {
		l := promLabel.FindStringSubmatch(text)
		if l == nil {
			t.Fatalf("labels: %q", text)
		}
		if _, again := labels[l[1]]; again {
			t.Errorf("label %s twice", l[1])
		}
		labels[l[1]] = promUnslip.Replace(l[2])
		text = text[len(l[0]):]
	}
	return labels
}

// check holds a family to the rules of its kind.
func (f *promFamily) check(t testing.TB, name string) {
	if (f.kind == counter) != strings.HasSuffix(name, "_total") {
		t.Errorf("%s is a %s", name, f.kind)
	}
	suffixes := map[string][]string{counter: {""}, gauge: {""}, summary: {"_sum", "_count"}, histogram: {"_bucket", "_sum", "_count"}}[f.kind]
	last := map[string]promSample{}
	for _, s := range f.samples {
		suffix, ok := strings.CutPrefix(s.name, name)
		if !ok || !slices.Contains(suffixes, suffix) {
			t.Errorf("%s in %s", s.name, name)
		}
		if f.kind == counter && (s.value < 0 || math.IsNaN(s.value)) {
			t.Errorf("%s %v", s.name, s.value)
		}
		if suffix == "_bucket" {
			le, err := strconv.ParseFloat(s.labels["le"], 64)
			before := last[s.labels["route"]]
			bound, _ := strconv.ParseFloat(before.labels["le"], 64)
			if err != nil || before.name != "" && (le <= bound || s.value < before.value) {
				t.Errorf("%+v after %+v", s, before)
			}
			last[s.labels["route"]] = s
		}
		if suffix == "_count" && f.kind == histogram {
			if top := last[s.labels["route"]]; top.labels["le"] != "+Inf" || top.value != s.value {
				t.Errorf("%+v, but %+v", s, top)
			}
		}
	}
}

// one returns the only sample with a label.
func (f *promFamily) one(t testing.TB, label, value string) promSample {
	t.Helper()
	var found []promSample
	for _, s := range f.samples {
		if s.labels[label] == value {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d samples with %s=%s", len(found), label, value)
	}
	return found[0]
}

func TestMetrics(t *testing.T) {
	p, base := start(t, realOptions(t))
	for _, target := range []string{"/teams/", "/teams/", "/teams/99999", "/athletes/?limit=x", listTarget} {
		get(t, base, target)
	}
	a := get(t, base, "/metrics")
	if a.status != 200 || a.header.Get("Content-Type") != contentMetrics || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	all := parseMetrics(t, a.body)
	for _, s := range all["xcri_requests_total"].samples {
		want := map[string]float64{"/teams/ hit": 1, "/teams/ miss": 1, "/teams/{team_hnd} miss": 1, "/athletes/ miss": 1}[s.labels["route"]+" "+s.labels["outcome"]]
		if s.value != want || len(s.labels) != 2 {
			t.Errorf("%+v, want %v", s, want)
		}
	}
	if n := len(all["xcri_requests_total"].samples); n != 7*len(p.router.Routes()) {
		t.Errorf("%d routes and outcomes", n)
	}
	durations := all["xcri_request_duration_seconds"]
	var sum, count float64
	for _, s := range durations.samples {
		if s.labels["route"] == "/teams/" && strings.HasSuffix(s.name, "_sum") {
			sum = s.value
		} else if s.labels["route"] == "/teams/" && strings.HasSuffix(s.name, "_count") {
			count = s.value
		}
	}
	if count != 2 || sum <= 0 || sum > 5 {
		t.Errorf("/teams/: %v requests in %v s", count, sum)
	}
	if v := all["xcri_database_up"].samples[0].value; v != 1 {
		t.Errorf("database_up %v", v)
	}
	if s := all["xcri_cache_entries"].one(t, "shelf", "warm"); s.value != float64(p.Stats().Generation.Warm.Keys) {
		t.Errorf("%+v", s)
	}
	if s := all["xcri_generation_info"].samples[0]; s.labels["generation"] != p.Stats().Generation.ID || s.value != 1 {
		t.Errorf("%+v", s)
	}
	if a := get(t, base, "/metrics", "X-Forwarded-For", "1.2.3.4"); a.status != 403 {
		t.Errorf("through Apache: %d", a.status)
	}
}

// numberUp gives every number in v another value, and every map and list an
// element, and returns the values by path. What they stand for is in want: a
// time in milliseconds is to be found in seconds.
func numberUp(v reflect.Value, path string, want map[string]float64) {
	next := float64(len(want)+1)*1000 + 10
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if tag != "-" {
				numberUp(v.Field(i), strings.TrimPrefix(path+"."+tag, "."), want)
			}
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		element := reflect.New(v.Type().Elem()).Elem()
		numberUp(element, path+".x", want)
		v.SetMapIndex(reflect.ValueOf("x"), element)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		numberUp(v.Index(0), path+".0", want)
	case reflect.Pointer:
		if v.Type() != reflect.TypeFor[*time.Time]() {
			v.Set(reflect.New(v.Type().Elem()))
			numberUp(v.Elem(), path, want)
			break
		}
		moment := time.Unix(int64(next), 0)
		v.Set(reflect.ValueOf(&moment))
		want[path] = next
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(next)
		want[path] = next
		if strings.HasSuffix(path, "_ms") {
			want[path] = next / 1000
		}
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(next))
		want[path] = next
	case reflect.Uint32:
		v.SetUint(uint64(next))
		want[path] = next
	case reflect.String:
		v.SetString("s")
	default:
		panic(path)
	}
}

// TestEveryNumberHasItsMetric: what is new in the stats is new in the metrics
// too, or is made of others.
func TestEveryNumberHasItsMetric(t *testing.T) {
	derived := map[string]string{
		"requests.outcomes.x":    "sum(xcri_requests_total)",
		"requests.latency.count": "sum(xcri_requests_total)",
		"routes.x.latency.count": "xcri_request_duration_seconds_count",
		"routes.x.fills.mean_ms": "xcri_fill_duration_seconds_sum / _count",
		"legacy.mean_ms":         "xcri_legacy_duration_seconds_sum / _count",
		"cache.bytes":            "sum(xcri_cache_bytes)",
		"cache.budget":           "sum(xcri_cache_budget_bytes)",
		"cache.entries":          "sum(xcri_cache_entries)",
	}
	var s api.Stats
	want := map[string]float64{}
	numberUp(reflect.ValueOf(&s).Elem(), "", want)
	m := &metricsText{}
	m.stats(s)
	there := map[float64]string{}
	for _, f := range parseMetrics(t, string(m.text)) {
		for _, sample := range f.samples {
			there[sample.value] = sample.name
		}
	}
	if len(want) < 50 {
		t.Fatalf("only %d numbers", len(want))
	}
	for path, value := range want {
		_, made := derived[path]
		if name, ok := there[value]; !ok && !made {
			t.Errorf("no metric for %s", path)
		} else if ok && made {
			t.Errorf("%s is derived, and %s", path, name)
		}
		delete(derived, path)
	}
	if len(derived) > 0 {
		t.Errorf("not in the stats: %v", derived)
	}
	fills := s.Routes["x"].Fills
	if _, ok := there[seconds(fills.MeanMS)*float64(fills.Count)]; !ok {
		t.Error("no sum of the fills")
	}
}

func TestMetricsEscape(t *testing.T) {
	m := &metricsText{}
	const wild = "a\"b\\c\nd{}, e=\"f\""
	m.one("xcri_x", gauge, "Help.", 0.5, "label", wild, "other", "y")
	m.one("xcri_big", gauge, "Help.", math.MaxInt64)
	all := parseMetrics(t, string(m.text))
	if s := all["xcri_x"].samples[0]; s.labels["label"] != wild || s.labels["other"] != "y" || s.value != 0.5 {
		t.Errorf("%s: %+v", m.text, s)
	}
}

// TestMetricsAreInTheReadme: each family is told of, and no other.
func TestMetricsAreInTheReadme(t *testing.T) {
	readme, err := os.ReadFile("admin/README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "`xcri_") {
		t.Fatal("the README has no table of metrics")
	}
	p := quiet(t)
	m := &metricsText{}
	m.stats(p.Stats())
	m.durations(p.router.Routes(), p.metrics)
	told := map[string]bool{}
	for _, name := range regexp.MustCompile("`(xcri_[a-z0-9_]+)`").FindAllStringSubmatch(string(readme), -1) {
		told[name[1]] = true
	}
	for name := range parseMetrics(t, string(m.text)) {
		if !told[name] {
			t.Errorf("README does not tell of %s", name)
		}
		delete(told, name)
	}
	for name := range told {
		t.Errorf("README tells of %s", name)
	}
}
