package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/config"
)

// leaves returns the names of the fields of a struct, of the structs of package config in it,
// and so on, without the structs themselves.
func leaves(s reflect.Type) (names []string) {
	for f := range s.Fields() {
		switch {
		case f.Type.Kind() == reflect.Struct && f.Type.PkgPath() == s.PkgPath():
			names = append(names, leaves(f.Type)...)
		case f.IsExported():
			names = append(names, f.Name)
		}
	}
	return names
}

// TestSettingsAreUsed holds that this package or package process reads each field of the settings,
// by its name: a setting that is parsed and checked but not passed on changes nothing.
func TestSettingsAreUsed(t *testing.T) {
	here, err1 := filepath.Glob("*.go")
	start, err2 := filepath.Glob("../process/*.go")
	if err1 != nil || err2 != nil || len(start) == 0 {
		t.Fatal(err1, err2, start)
	}
	used := map[string]bool{"EnvFile": true} // by package config
	for _, path := range slices.Concat(here, start) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				used[s.Sel.Name] = true
			}
			return true
		})
	}
	names := leaves(reflect.TypeFor[config.Config]())
	if len(names) < 50 {
		t.Fatalf("only %d settings", len(names))
	}
	for _, name := range names {
		if !used[name] {
			t.Errorf("neither cmd/internal/app nor cmd/internal/process reads the field %s of the settings: pass it on, for example in options.go", name)
		}
	}
}
