package preflight

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRemediesNameDocuments holds that a remedy which sends its reader to a document names the
// document with the subject.
func TestRemediesNameDocuments(t *testing.T) {
	subjects := map[string]string{"versions": "MariaDB 10.11", "account": "GRANT SELECT ON"}
	source, err := os.ReadFile("database.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`with the (\w+) in (\S*README\.md)"`).FindAllStringSubmatch(string(source), -1) {
		text, err := os.ReadFile(filepath.Join("../../..", m[2]))
		if word := subjects[m[1]]; err != nil || word == "" || !strings.Contains(string(text), word) {
			t.Errorf("%s: not the document with %q, %v", m[0], word, err)
		}
		found[m[1]] = true
	}
	if len(found) != len(subjects) {
		t.Errorf("remedies name documents for %v only", found)
	}
}
