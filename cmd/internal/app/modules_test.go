package app

import (
	"os"
	"strings"
	"testing"
)

// TestTheDemoHasTheSameModules holds that the demo, which is a module of its own, is built
// from the versions of modules that the program is built from: an update has to reach both
// files. The go command refuses to build the demo from older versions.
func TestTheDemoHasTheSameModules(t *testing.T) {
	ours, shared := required(t, "../../../go.mod"), 0
	for path, version := range required(t, "../../xcri-demo/go.mod") {
		want, ok := ours[path]
		if !ok {
			continue
		}
		if shared++; version != want {
			t.Errorf("the demo requires %s %s, and the program %s: run go mod tidy in cmd/xcri-demo", path, version, want)
		}
	}
	if shared < 10 {
		t.Errorf("%d modules are required by both: the lists are not complete", shared)
	}
}

// required returns the version of each module that a go.mod file requires.
func required(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); strings.HasPrefix(line, "\t") && len(fields) > 1 && strings.HasPrefix(fields[1], "v") {
			versions[fields[0]] = fields[1]
		}
	}
	return versions
}
