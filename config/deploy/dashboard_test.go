package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/promtext"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

const dashboardFile = "monitoring/xcri-proxy.dashboard.json"

// dashboard is the part of a Grafana dashboard that the tests read.
type dashboard struct {
	Title       string
	Annotations struct{ List []struct{ Name, Expr string } }
	Templating  struct{ List []struct{ Name string } }
	Panels      []panel
}

type panel struct {
	ID          int
	Type, Title string
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct{ RefID, Expr, LegendFormat string }
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal([]byte(readText(t, dashboardFile)), &d); err != nil {
		t.Fatal(err)
	}
	if d.Title != "xcri-proxy" || len(d.Panels) < 40 {
		t.Fatalf("dashboard %q with %d panels", d.Title, len(d.Panels))
	}
	return d
}

// exprs returns the expressions by the panel or annotation that they stand in.
func (d *dashboard) exprs() map[string][]string {
	all := map[string][]string{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all[p.Title] = append(all[p.Title], target.Expr)
		}
	}
	for _, a := range d.Annotations.List {
		all[a.Name] = append(all[a.Name], a.Expr)
	}
	return all
}

// TestDashboard holds that the panels have titles and places of their own, and only the
// variables that the dashboard has.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	ids, taken, titles := map[int]bool{}, map[[2]int]string{}, map[string]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || titles[p.Title] || p.Title == "" {
			t.Errorf("panel %d %q is there twice, or has no title", p.ID, p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s overlaps %s, or the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
	}
	known := []string{"__rate_interval"}
	for _, v := range d.Templating.List {
		known = append(known, v.Name)
	}
	for title, exprs := range d.exprs() {
		for _, expr := range exprs {
			for _, part := range strings.Split(expr, "$")[1:] {
				name := part[:len(part)-len(strings.TrimLeft(part, "_abcdefghijklmnopqrstuvwxyz"))]
				if !slices.Contains(known, name) {
					t.Errorf("%s: no variable $%s", title, name)
				}
			}
			if !strings.Contains(expr, `instance=~"$instance"`) {
				t.Errorf("%s: %s is not about the chosen instance", title, expr)
			}
		}
	}
}

// TestDashboardParses holds that Prometheus parses each expression.
func TestDashboardParses(t *testing.T) {
	promtool := need.Program(t, "promtool", "prometheus")
	d := readDashboard(t)
	rules, n := "groups:\n  - name: dashboard\n    rules:\n", 0
	for _, exprs := range d.exprs() {
		for _, expr := range exprs {
			n++
			text, err := json.Marshal(strings.ReplaceAll(expr, "$__rate_interval", "5m")) // YAML reads it, too
			if err != nil {
				t.Fatal(err)
			}
			rules += fmt.Sprintf("      - {record: 'dashboard:expr%d', expr: %s}\n", n, text)
		}
	}
	if n < 80 {
		t.Fatalf("%d expressions", n)
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(promtool, "check", "rules", file).CombinedOutput(); err != nil || !strings.Contains(string(out), fmt.Sprintf("%d rules found", n)) {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// TestDashboardShowsAllMetrics holds that each metric of a panel is in the answer of a
// running proxy, and that each of the proxy's own metrics is in a panel.
func TestDashboardShowsAllMetrics(t *testing.T) {
	proxy := startProxy(t)
	request{target: "/iz/xcri/api/teams/"}.ask(t, proxy.url())
	families := promtext.Parse(t, request{target: "/metrics", host: "localhost"}.ask(t, proxy.url()).body)
	shown := map[string]bool{}
	d := readDashboard(t)
	for title, exprs := range d.exprs() {
		for _, expr := range exprs {
			for _, s := range selectors(expr) {
				name := s.name
				for _, suffix := range []string{"_bucket", "_sum", "_count"} {
					if base := strings.TrimSuffix(name, suffix); families[name] == nil && families[base] != nil {
						name = base
					}
				}
				if families[name] == nil {
					t.Errorf("%s: no metric %s", title, s.name)
				}
				shown[name] = true
			}
		}
	}
	for name := range families {
		if strings.HasPrefix(name, "xcri_") && !shown[name] {
			t.Errorf("no panel shows %s: add it to a panel of monitoring/xcri-proxy.dashboard.json", name)
		}
	}
}
