package proxy

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/promtext"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

func TestMetrics(t *testing.T) {
	p, base := start(t, realOptions(t))
	for _, target := range []string{"/teams/", "/teams/", "/teams/99999", "/athletes/?limit=x", listTarget} {
		get(t, base, target)
	}
	a := get(t, base, "/metrics")
	if a.status != 200 || a.header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	all := promtext.Parse(t, a.body)
	for _, s := range all["xcri_requests_total"].Samples {
		want := map[string]float64{"/teams/ hit": 1, "/teams/ miss": 1, "/teams/{team_hnd} miss": 1, "/athletes/ miss": 1}[s.Labels["route"]+" "+s.Labels["outcome"]]
		if s.Value != want || len(s.Labels) != 2 {
			t.Errorf("%+v, want %v", s, want)
		}
	}
	if n := len(all["xcri_requests_total"].Samples); n != 7*len(p.router.Routes()) {
		t.Errorf("%d routes and outcomes", n)
	}
	durations := all["xcri_request_duration_seconds"]
	var sum, count float64
	for _, s := range durations.Samples {
		if s.Labels["route"] == "/teams/" && strings.HasSuffix(s.Name, "_sum") {
			sum = s.Value
		} else if s.Labels["route"] == "/teams/" && strings.HasSuffix(s.Name, "_count") {
			count = s.Value
		}
	}
	if count != 2 || sum <= 0 || sum > 5 {
		t.Errorf("/teams/: %v requests in %v s", count, sum)
	}
	if v := all["xcri_database_up"].Samples[0].Value; v != 1 {
		t.Errorf("database_up %v", v)
	}
	if s := all["xcri_cache_entries"].One(t, "shelf", "warm"); s.Value != float64(p.Stats().Generation.Warm.Keys) {
		t.Errorf("%+v", s)
	}
	if s := all["xcri_generation_info"].Samples[0]; s.Labels["generation"] != p.Stats().Generation.ID || s.Value != 1 {
		t.Errorf("%+v", s)
	}
	if a := get(t, base, "/metrics", "X-Forwarded-For", "1.2.3.4"); a.status != 403 {
		t.Errorf("through Apache: %d", a.status)
	}
}

// TestMetricsAreInTheReadme: the documentation lists each metric family, and no
// others.
func TestMetricsAreInTheReadme(t *testing.T) {
	readme, err := os.ReadFile("admin/README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "`xcri_") {
		t.Fatal("the README has no table of metrics")
	}
	_, base := start(t, Options{Origin: &fakeOrigin{}})
	text := get(t, base, "/metrics").body
	documented := map[string]bool{}
	for _, name := range regexp.MustCompile("`((?:xcri|process|go)_[a-z0-9_]+)`").FindAllStringSubmatch(string(readme), -1) {
		documented[name[1]] = true
	}
	for name := range promtext.Parse(t, text) {
		if !documented[name] {
			t.Errorf("the table of metrics in proxy/admin/README.md does not list %s", name)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("proxy/admin/README.md lists %s, which /metrics does not have", name)
	}
}

// TestMetricsFollowTheConventions: promtool, the checker of Prometheus, has no
// complaint about a name, type or help text.
func TestMetricsFollowTheConventions(t *testing.T) {
	promtool := need.Program(t, "promtool", "prometheus")
	_, base := start(t, realOptions(t))
	for _, target := range []string{"/teams/", "/teams/", "/athletes/?limit=x", listTarget} {
		get(t, base, target)
	}
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(get(t, base, "/metrics").body)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
