package app

import (
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExamples holds that each package which other modules can import has an Example with
// output. Rooms for tests are left out: tests are their examples.
func TestExamples(t *testing.T) {
	seen := 0
	for room, names := range goList(t, `{{.Name}} {{len .GoFiles}}`, module+"...") {
		parts := strings.Split(room, "/")
		isTest := slices.ContainsFunc(parts, func(s string) bool { return strings.HasSuffix(s, "test") })
		if names[0] == "main" || names[1] == "0" || slices.Contains(parts, "internal") || isTest {
			continue
		}
		seen++
		if !hasExample(t, filepath.Join("../../..", room)) {
			t.Errorf("%s has no Example with output: add one to its example_test.go", room)
		}
	}
	if seen < 50 {
		t.Errorf("%d packages: the list is not complete", seen)
	}
}

// hasExample reports whether the tests of a package have an Example that go test runs.
func hasExample(t *testing.T, dir string) bool {
	t.Helper()
	tests, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(tests, func(name string) bool {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(doc.Examples(file), func(e *doc.Example) bool { return e.Output != "" })
	})
}
