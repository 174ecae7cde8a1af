package app

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImports holds the direction in which data flows through the house, and
// keeps each large dependency in the one room that it belongs in.
func TestImports(t *testing.T) {
	const module = "github.com/lewistv/xcri-proxy/"
	allowed := map[string][]string{
		"cache": {}, "store": {}, "config": {}, "config/deploy": {}, // tests alone
		"proxy":         {"cache", "proxy/compare", "proxy/legacy", "proxy/site", "store"},
		"proxy/compare": {}, "proxy/legacy": {}, "proxy/site": {"cache"},
		"cmd/internal/app":  {"cache", "config", "proxy", "proxy/legacy", "proxy/site", "store"},
		"cmd/internal/load": {},
		"cmd/xcri-proxy":    {"cmd/internal/app", "cmd/internal/load", "config"},
	}
	rooms := map[string]string{ // with what is below them
		"github.com/valyala/fasthttp": "proxy", "github.com/klauspost/compress": "proxy cmd/internal/load", "github.com/andybalholm/brotli": "proxy cmd/internal/load",
		"github.com/dgraph-io/ristretto": "cache", "golang.org/x/sync": "cache",
		"github.com/go-sql-driver/mysql": "store", "database/sql": "store",
		"github.com/coreos/go-systemd": "cmd/internal/app", "github.com/dustin/go-humanize": "config", "github.com/spf13/cobra": "cmd/xcri-proxy",
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		room, imports := strings.TrimPrefix(fields[0], module), fields[1:]
		may, known := allowed[room]
		if !known {
			t.Errorf("%s is a new room: say here what it may import", room)
		}
		seen++
		for _, i := range imports {
			if ours, ok := strings.CutPrefix(i, module); ok && !slices.Contains(may, ours) {
				t.Errorf("%s imports %s", room, ours)
			}
			for dependency, homes := range rooms {
				in := func(home string) bool { return room == home || strings.HasPrefix(room, home+"/") }
				if strings.HasPrefix(i, dependency) && !slices.ContainsFunc(strings.Fields(homes), in) {
					t.Errorf("%s imports %s, which belongs in %s", room, i, homes)
				}
			}
		}
	}
	if seen != len(allowed) {
		t.Errorf("%d rooms, want %d", seen, len(allowed))
	}
}
