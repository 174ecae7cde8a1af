//go:build !race

// The test matches each sentence of the repository with patterns in one goroutine, which the
// race detector makes ten times slower.

package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// discouraged lists phrases that make a reader stop, because a pronoun replaces a noun or
// a clause replaces a term, and words that CONTRIBUTING.md has another term for. Each has
// a hint for a better text.
var discouraged = []struct{ phrase, hint string }{
	{`nobody`, "name the client, caller or operator; of a func or pointer: nil"},
	{`at once`, "immediately, or concurrently"},
	{`so (?:many|much|long|few|often)`, "at most, the given number, until"},
	{`told|tells?`, "report, say, distinguish"},
	{`what`, "a noun: the rows that"},
	{`(?:that|those) of`, "repeat the noun"},
	{`those (?:who|that|which|in|from|with|for|on|at|whose|without)`, "repeat the noun"},
	{`ones`, "repeat the noun"},
	{`one (?:that|which|who|whose)`, "repeat the noun"},
	{`(?:this|that|the|each|every|which|any|new|newer|newest|old|older|oldest|same|another|other|last|first|next|right|wrong|only|good|bad|big|small|public|second|no) one(?:[.,;:)!?]|$| (?:is|was|has|at|to|in|for|from|with|by)\b)`, "repeat the noun"},
	{`looks? (?:at|whether|if|like|into)`, "read, poll, check, resemble"},
	{`there is nothing`, "state the rule"},
	{`whoever|whatever|wherever|whichever|whenever`, "any, each, every time"},
	{`(?:is|are) how (?:many|much|long|often|far)`, "the number, time or interval"},
	{`lately|amid|upon|lest|hence|whence|thereby|in vain|of its own accord`, "a plain word"},
	{`invalidat(?:es?|ed|ion|ing)|pre-?fetch(?:es|ed|ing)?|epochs?|upstreams?`, "a term of CONTRIBUTING.md"},
}

// TestPlainWords holds that comments, messages and documents use none of the discouraged
// phrases.
func TestPlainWords(t *testing.T) {
	const root = "../../.."
	var phrases []*regexp.Regexp
	for _, d := range discouraged {
		phrases = append(phrases, regexp.MustCompile(`(?i)(?:^|[\s(“])(?:`+d.phrase+`)(?:$|[\s.,;:!?)”'])`))
	}
	texts := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || d.Name() == "words_test.go":
			return nil
		}
		for _, p := range prose(t, path) {
			texts++
			for i, phrase := range phrases {
				if found := phrase.FindString(p.text); found != "" {
					t.Errorf("%s:%d: %q: write plainly (%s): %.200s", path, p.line, strings.TrimSpace(found), discouraged[i].hint, p.text)
				}
			}
		}
		return nil
	})
	if err != nil || texts < 5000 {
		t.Errorf("%d texts, %v: the walk missed files", texts, err)
	}
}

// passage is a text of a file, with its line.
type passage struct {
	line int
	text string
}

// prose returns the texts that a file has for people: the comments and messages of Go, the
// comments of other code, the text of pages, and all of a document.
func prose(t *testing.T, path string) []passage {
	switch filepath.Ext(path) {
	case ".go":
		return goProse(t, path)
	case ".js", ".css":
		return lines(t, path, func(line string) string { _, comment, _ := strings.Cut(line, "// "); return comment })
	case ".html":
		return lines(t, path, func(line string) string { return tag.ReplaceAllString(line, "") })
	case ".md", ".conf", ".sh", ".cgi", ".yml", ".yaml", ".service", ".socket", ".example":
		return lines(t, path, func(line string) string { return line })
	case "":
		if slices.Contains([]string{"Dockerfile", "crontab", "htaccess"}, filepath.Base(path)) {
			return lines(t, path, func(line string) string { return line })
		}
	}
	return nil
}

var tag = regexp.MustCompile(`<[^>]*>|{{[^}]*}}`)

// lines returns the texts of a file's lines.
func lines(t *testing.T, path string, text func(line string) string) (all []passage) {
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(content)) {
		n++
		if text := strings.TrimSpace(text(line)); text != "" {
			all = append(all, passage{n, text})
		}
	}
	return all
}

// goProse returns the comments of a Go file and its strings of several words, but for
// programs in other languages.
func goProse(t *testing.T, path string) (all []passage) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	add := func(at token.Pos, text string) {
		all = append(all, passage{set.Position(at).Line, strings.Join(strings.Fields(text), " ")})
	}
	for _, c := range file.Comments {
		add(c.Pos(), c.Text())
	}
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		if text, err := strconv.Unquote(literal.Value); err == nil && strings.Contains(text, " ") {
			add(literal.Pos(), text)
		}
		return true
	})
	return all
}
