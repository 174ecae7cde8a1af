package alone

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestEncoderHasItsBenchmark holds that the package whose benchmark makes a row has it.
func TestEncoderHasItsBenchmark(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("../../../../..", encoder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("\nfunc BenchmarkRows(")) {
			return
		}
	}
	t.Errorf("no BenchmarkRows in %s, among %d test files", encoder, len(files))
}
