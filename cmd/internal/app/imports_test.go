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
		"cache": {}, "store": {}, "config": {},
		"proxy":        {"cache", "proxy/legacy", "proxy/site", "store"},
		"proxy/legacy": {}, "proxy/site": {},
		"cmd/internal/app": {"cache", "config", "proxy", "proxy/legacy", "proxy/site", "store"},
		"cmd/xcri-proxy":   {"cmd/internal/app", "config"},
	}
	rooms := map[string]string{ // with what is below them
		"github.com/valyala/fasthttp": "proxy", "github.com/klauspost/compress": "proxy", "github.com/andybalholm/brotli": "proxy",
		"github.com/dgraph-io/ristretto": "cache", "golang.org/x/sync": "cache",
		"github.com/go-sql-driver/mysql": "store", "database/sql": "store",
		"github.com/dustin/go-humanize": "config", "github.com/spf13/cobra": "cmd/xcri-proxy",
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
			for dependency, home := range rooms {
				if strings.HasPrefix(i, dependency) && room != home && !strings.HasPrefix(room, home+"/") {
					t.Errorf("%s imports %s, which belongs in %s", room, i, home)
				}
			}
		}
	}
	if seen != len(allowed) {
		t.Errorf("%d rooms, want %d", seen, len(allowed))
	}
}
