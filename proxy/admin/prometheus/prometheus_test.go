package prometheus

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/promtext"
)

// numberUp sets every number in v to a different value, adds an element to every map
// and list, and stores the expected metric values by path in want: a time in
// milliseconds is expected in seconds.
func numberUp(v reflect.Value, path string, want map[string]float64) {
	next := float64(len(want)+1)*1000 + 10
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			break // the time of an event, which is a text and no figure
		}
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

// TestEveryNumberHasItsMetric: every number of the stats is a metric, or is computed
// from other metrics.
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
	for _, f := range promtext.Parse(t, string(m.text)) {
		for _, sample := range f.Samples {
			there[sample.Value] = sample.Name
		}
	}
	if len(want) < 50 {
		t.Fatalf("only %d numbers", len(want))
	}
	for path, value := range want {
		if strings.HasPrefix(path, "loading.") || strings.HasPrefix(path, "slowest.") || strings.HasPrefix(path, "site.preloads.") {
			continue // of a single load, request or page, which is no closed set of labels
		}
		_, made := derived[path]
		if name, ok := there[value]; !ok && !made {
			t.Errorf("no metric for %s: add it to prometheus.go, or to derived if it follows from other metrics", path)
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
	all := promtext.Parse(t, string(m.text))
	if s := all["xcri_x"].Samples[0]; s.Labels["label"] != wild || s.Labels["other"] != "y" || s.Value != 0.5 {
		t.Errorf("%s: %+v", m.text, s)
	}
}
