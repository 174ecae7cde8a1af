package app

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The limits of sizes, without tests: a reader can keep a package of this size in mind.
const (
	maxPackage = 1500 // lines
	maxFile    = 400  // lines
	maxFunc    = 60   // lines
	maxParams  = 5
	maxFields  = 12
	maxOptions = 20 // fields of a struct whose name ends in Options
)

// TestSizes holds the limits of sizes in the whole repository.
func TestSizes(t *testing.T) {
	for _, fault := range oversized(t, "../../..") {
		t.Error(fault)
	}
}

// TestSizesAreCounted holds that each limit is noticed.
func TestSizesAreCounted(t *testing.T) {
	root := t.TempDir()
	long := "package x\n\ntype wide struct{ " + strings.Repeat("a, ", maxFields) + "b int }\n\n" +
		"type fineOptions struct{ " + strings.Repeat("a, ", maxOptions-1) + "b int }\n\n" +
		"func long(" + strings.Repeat("a, ", maxParams) + "b int) {\n" + strings.Repeat("\n", maxFunc) + "}\n" + strings.Repeat("\n", maxFile)
	for name, text := range map[string]string{
		"a.go": long, "b.go": "package x\n" + strings.Repeat("\n", maxFile-1), "c.go": "package x\n" + strings.Repeat("\n", maxFile-1),
		"d.go": "package x\n" + strings.Repeat("\n", maxFile-1), "d_test.go": long,
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, fault := range oversized(t, root) {
		beginning, _, _ := strings.Cut(fault, " has ")
		got = append(got, beginning)
	}
	want := []string{"a.go: wide", "a.go: long", "a.go: long", "a.go: the file", ".: the package"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// oversized returns all that exceeds a limit below a folder, each as PLACE: FAULT.
func oversized(t *testing.T, root string) (faults []string) {
	t.Helper()
	packages := map[string]int{} // lines by folder
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		lines := bytes.Count(text, []byte("\n"))
		packages[filepath.Dir(name)] += lines
		found := append(tooLarge(set, file), over("the file", lines, maxFile, "lines: move one of its concerns to a file of its own")...)
		for _, fault := range found {
			faults = append(faults, name+": "+fault)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range slices.Sorted(maps.Keys(packages)) {
		for _, fault := range over("the package", packages[folder], maxPackage, "lines without tests: give one of its ideas a package of its own, below it or beside it") {
			faults = append(faults, folder+": "+fault)
		}
	}
	return faults
}

// tooLarge returns the functions and structs of a file that exceed a limit.
func tooLarge(set *token.FileSet, file *ast.File) (faults []string) {
	name := "a struct without a name"
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			lines := set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1
			faults = append(faults, over(n.Name.Name, lines, maxFunc, "lines: name one of its steps and make it a function")...)
			faults = append(faults, over(n.Name.Name, n.Type.Params.NumFields(), maxParams, "parameters: group related parameters in a struct")...)
		case *ast.TypeSpec:
			name = n.Name.Name
		case *ast.StructType:
			most := maxFields
			if strings.HasSuffix(name, "Options") {
				most = maxOptions
			}
			faults = append(faults, over(name, n.Fields.NumFields(), most, "fields: group related fields in a struct; an embedded struct keeps JSON flat")...)
		}
		return true
	})
	return faults
}

// over returns a fault if n exceeds a limit.
func over(what string, n, most int, advice string) []string {
	if n <= most {
		return nil
	}
	return []string{fmt.Sprintf("%s has %d of at most %d %s", what, n, most, advice)}
}
