package deploy

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/store/readapi"
)

// root is the folder of the project.
const root = "../.."

// filesWith returns the files of the project whose names end in suffix, and their
// texts.
func filesWith(t *testing.T, suffix string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == ".git" {
			return cmp.Or(err, fs.SkipDir)
		}
		if d.IsDir() || !strings.HasSuffix(path, suffix) {
			return nil
		}
		text, err := os.ReadFile(path)
		texts[path] = string(text)
		return err
	})
	if err != nil || len(texts) == 0 {
		t.Fatalf("%d files *%s: %v", len(texts), suffix, err)
	}
	return texts
}

var (
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fence     = regexp.MustCompile("(?ms)^```.*?^```")
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestLinks holds that each relative link of a document leads to a file, and each
// anchor to a heading.
func TestLinks(t *testing.T) {
	documents := filesWith(t, ".md")
	anchors := map[string]map[string]bool{}
	for path, text := range documents {
		anchors[path] = map[string]bool{}
		for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			anchors[path][strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
		}
	}
	checked := 0
	for path, text := range documents {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			checked++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s: %v", path, m[1], err)
			} else if anchor != "" && !anchors[target][anchor] {
				t.Errorf("%s: %s: no such heading", path, m[1])
			}
		}
	}
	if checked < 20 {
		t.Errorf("%d links: the pattern finds too few", checked)
	}
}

// TestConfigurationTable holds that README has a row for each setting, with its
// default, and for no other name.
func TestConfigurationTable(t *testing.T) {
	text := filesWith(t, "README.md")[filepath.Join(root, "README.md")]
	_, table, _ := strings.Cut(text, "| key | default | meaning |")
	table, _, _ = strings.Cut(table, "\n\n")
	name := regexp.MustCompile("`([A-Z][A-Z0-9_]+)`")
	rows := map[string]string{}
	for line := range strings.Lines(table) {
		keys, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		for _, m := range name.FindAllStringSubmatch(keys, -1) {
			rows[m[1]] = line
		}
	}
	for _, k := range config.Keys() {
		row, known := rows[k.Name]
		delete(rows, k.Name)
		switch {
		case !known:
			t.Errorf("README.md has no row for %s, default `%s`: add it to the table of settings", k.Name, k.Default)
		case k.Default != "" && !strings.Contains(row, "`"+k.Default+"`") && !strings.Contains(row, "as the old API"):
			t.Errorf("%s: the default is %s, but README says: %s", k.Name, k.Default, row)
		}
	}
	for name := range rows {
		t.Errorf("README has a row for %s, which is no setting", name)
	}
}

// TestLogMessages holds that each log message in README.md is a text of the
// program, so that operators can search the log for it.
func TestLogMessages(t *testing.T) {
	text := filesWith(t, "README.md")[filepath.Join(root, "config/deploy/README.md")]
	_, table, _ := strings.Cut(text, "| message | meaning and remedy |")
	var program strings.Builder
	for path, text := range filesWith(t, ".go") {
		if !strings.HasSuffix(path, "_test.go") {
			program.WriteString(text)
		}
	}
	source := program.String()
	checked := 0
	for line := range strings.Lines(table) {
		messages, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), " | ")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(messages, -1) {
			for part := range strings.SplitSeq(m[1], "…") {
				if part = strings.TrimSpace(part); !strings.Contains(source, part) {
					t.Errorf("no text of the program contains %q of %q", part, m[1])
				}
				checked++
			}
		}
	}
	if checked < 15 {
		t.Errorf("%d messages: the table was not found", checked)
	}
}

// TestCIInstalls holds that .ci/run installs each program that a test needs.
func TestCIInstalls(t *testing.T) {
	script, err := os.ReadFile(filepath.Join(root, ".ci/run"))
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for path, text := range filesWith(t, ".go") {
		for _, m := range regexp.MustCompile(`need\.Program\(\w+, "([^"]+)", "([^"]+)"\)`).FindAllStringSubmatch(text, -1) {
			calls++
			if line := "\nneed " + m[1] + " " + m[2] + "\n"; !strings.Contains(string(script), line) {
				t.Errorf("%s needs %s: .ci/run has no line%s", path, m[1], line)
			}
		}
	}
	if calls < 5 {
		t.Errorf("%d calls of need.Program: the pattern finds too few", calls)
	}
}

// TestRoomsAreInReadme holds that README says where each package of the first two levels
// belongs.
func TestRoomsAreInReadme(t *testing.T) {
	text := filesWith(t, "README.md")[filepath.Join(root, "README.md")]
	rooms := map[string]bool{}
	for path := range filesWith(t, ".go") {
		room, _ := filepath.Rel(root, filepath.Dir(path))
		parts := strings.Split(filepath.ToSlash(room), "/")
		depth := 2
		if parts[0] == "cmd" && len(parts) > 1 && parts[1] == "internal" {
			depth = 3
		}
		rooms[strings.Join(parts[:min(depth, len(parts))], "/")] = true
	}
	for room := range rooms {
		if !strings.Contains(text, "`"+room+"`") {
			t.Errorf("README.md does not mention %s: add it to the table of \"Where each thing lives\"", room)
		}
	}
	if len(rooms) < 40 {
		t.Errorf("only %d packages", len(rooms))
	}
}

// TestEndpointsAreInReadme holds that README names each endpoint that has an answer: a row of
// its table has all the fixed parts of the path.
func TestEndpointsAreInReadme(t *testing.T) {
	text := filesWith(t, "README.md")[filepath.Join(root, "README.md")]
	_, table, _ := strings.Cut(text, "| path | answer |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows, word := []map[string]bool{}, regexp.MustCompile("/([a-z-]+)")
	for line := range strings.Lines(table) {
		row := map[string]bool{}
		for _, m := range word.FindAllStringSubmatch(line, -1) {
			row[m[1]] = true
		}
		rows = append(rows, row)
	}
	for _, e := range readapi.Endpoints() {
		parts := word.FindAllStringSubmatch(e.Path, -1)
		named := slices.ContainsFunc(rows, func(row map[string]bool) bool {
			return !slices.ContainsFunc(parts, func(part []string) bool { return !row[part[1]] })
		})
		if e.Answer != nil && !named {
			t.Errorf("the table of endpoints in README.md does not name %s", e.Path)
		}
	}
}

// TestWorkedExamplesCompile holds that the Go code of CONTRIBUTING.md compiles where the
// document says to insert it.
func TestWorkedExamplesCompile(t *testing.T) {
	text := read(t, "../../.github/CONTRIBUTING.md")
	replaced, packages := map[string]string{}, []string{"build", "-overlay", ""}
	for _, tt := range []struct{ example, file, after string }{
		{"add an endpoint", "store/readapi/metadata.go", "[]*query.Endpoint{\n"},
		{"change when an entry is stale", "proxy/generation/audit.go", "x.aged = now\n"},
	} {
		_, code, _ := strings.Cut(text, "## Worked example: "+tt.example+"\n")
		_, code, _ = strings.Cut(code, "```go\n")
		code, _, ok := strings.Cut(code, "```")
		file, err := filepath.Abs(filepath.Join(root, tt.file))
		if err != nil || !ok {
			t.Fatalf("%s: %v, no code", tt.example, err)
		}
		// The last place: age sets its time twice.
		source := read(t, file)
		at := strings.LastIndex(source, tt.after) + len(tt.after)
		changed := filepath.Join(t.TempDir(), filepath.Base(file))
		if err := os.WriteFile(changed, []byte(source[:at]+code+source[at:]), 0o600); err != nil || !strings.Contains(source, tt.after) {
			t.Fatalf("%s: %v, or %s has no %q", tt.example, err, tt.file, tt.after)
		}
		replaced[file] = changed
		packages = append(packages, filepath.Dir(file))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	packages[2] = filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(packages[2], overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", packages...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
