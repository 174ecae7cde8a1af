package atomicfile_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/lewistv/xcri-proxy/cache/atomicfile"
)

// A write that fails leaves the old file as it was.
func ExampleReplace() {
	dir, err := os.MkdirTemp("", "atomicfile-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "state")
	first := atomicfile.Replace(path, 0o600, func(w io.Writer) error { _, err := io.WriteString(w, "complete"); return err })
	second := atomicfile.Replace(path, 0o600, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half of ")
		return errors.New("no more space")
	})
	content, _ := atomicfile.Read(path, 1<<10)
	fmt.Println(first, second != nil, string(content))
	// Output: <nil> true complete
}
