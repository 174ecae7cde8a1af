package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ofWallClock matches a time without its reading of the monotonic clock.
var ofWallClock = regexp.MustCompile(`time\.Now\(\)(\.Add\([^)]*\))?\.(Unix(Nano|Micro|Milli)?\(|Round\(0\))`)

// Intervals are measured with the monotonic clock: if the wall clock is set back,
// nothing is due until it has caught up. UnixNano and its siblings read the wall
// clock, so only times that outlive the process may use them.
func TestIntervalsAreMonotonic(t *testing.T) {
	may := map[string]string{
		"cache/snapshot/write.go": "when the file was written",
		"store/survey.go":         "a text that no other statement has",
	}
	root := "../../.."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if may[name] != "" || may[filepath.Dir(name)] != "" || strings.HasPrefix(name, "cmd/xcri-") || strings.Contains(name, "test/") {
			return nil
		}
		text, err := os.ReadFile(path)
		if wall := ofWallClock.Find(text); wall != nil {
			t.Errorf("%s: %s is of the wall clock", name, wall)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
