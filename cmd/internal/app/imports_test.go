package app

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the prefix of all import paths of ours.
const module = "github.com/lewistv/xcri-proxy/"

// TestImports holds the direction in which data flows between the packages, and
// keeps each large dependency in the package that it belongs in.
func TestImports(t *testing.T) {
	allowed := map[string][]string{
		"cache": {}, "store": {}, "config": {}, "config/deploy": {}, // tests alone
		"proxy":         {"cache", "proxy/compare", "proxy/legacy", "proxy/maintenance", "proxy/site", "store"},
		"proxy/compare": {}, "proxy/legacy": {"proxy/visitor"}, "proxy/visitor": {}, "proxy/maintenance": {}, "proxy/site": {"cache"},
		"cmd/internal/app":  {"cache", "config", "proxy", "proxy/legacy", "proxy/maintenance", "proxy/site", "store"},
		"cmd/internal/load": {},
		"cmd/xcri-proxy":    {"cmd/internal/app", "cmd/internal/load", "config"},

		// Test rooms and the benchmark. TestProductImportsNoTestRoom keeps them
		// out of the program.
		"store/storetest": {}, "store/storetest/importer": {}, "store/storetest/mariadb": {"store/storetest"}, "store/storetest/need": {},
		"proxy/proxytest/apache": {"store/storetest/need"}, "proxy/proxytest/conformance": {"store/storetest"}, "proxy/proxytest/oldapi": {"store/storetest"},
		"cmd/xcri-bench": {"store/storetest", "store/storetest/importer", "store/storetest/mariadb"}, "cmd/xcri-bench/bare": {},
	}
	rooms := map[string]string{ // with what is below them
		"github.com/valyala/fasthttp": "proxy cmd/xcri-bench/bare", "github.com/klauspost/compress": "proxy cmd/internal/load", "github.com/andybalholm/brotli": "proxy cmd/internal/load",
		"github.com/dgraph-io/ristretto": "cache", "golang.org/x/sync": "cache",
		"github.com/go-sql-driver/mysql": "store", "database/sql": "store cmd/xcri-bench",
		"github.com/coreos/go-systemd": "cmd/internal/app", "github.com/dustin/go-humanize": "config", "github.com/spf13/cobra": "cmd/xcri-proxy",
	}
	seen := 0
	for room, imports := range goList(t, "{{join .Imports \" \"}}", module+"...") {
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

// TestProductImportsNoTestRoom keeps packages that are made for tests, and the
// testing package, out of the program that is shipped.
func TestProductImportsNoTestRoom(t *testing.T) {
	seen := 0
	for room, deps := range goList(t, `{{join .Deps " "}}`, module+"cmd/xcri-proxy") {
		for _, d := range deps {
			ours, _ := strings.CutPrefix(d, module)
			if d == "testing" || slices.ContainsFunc(strings.Split(ours, "/"), func(s string) bool { return strings.HasSuffix(s, "test") }) && ours != d {
				t.Errorf("%s depends on %s", room, d)
			}
			seen++
		}
	}
	if seen < 50 {
		t.Errorf("%d dependencies: the list is not complete", seen)
	}
}

// TestNoGoBelowTestdata holds that ./... sees every package: the go command
// skips folders named testdata.
func TestNoGoBelowTestdata(t *testing.T) {
	err := filepath.WalkDir("../../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && strings.Contains(path, "/testdata/") {
			t.Errorf("%s: a test room belongs outside testdata", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// goList returns for each package of ours that matches pattern the words that
// format gives.
func goList(t *testing.T, format, pattern string) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} "+format, pattern).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	packages := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		packages[strings.TrimPrefix(fields[0], module)] = fields[1:]
	}
	return packages
}
