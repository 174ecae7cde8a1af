package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/config"
)

// TestSite holds that an unusable folder of the site ends the start with an error that
// names the key, and that a usable folder is served.
func TestSite(t *testing.T) {
	dir := t.TempDir()
	flags := settings(database(t))
	for _, bad := range []string{dir, filepath.Join(dir, "nowhere")} {
		flags["STATIC_DIR"] = bad
		cfg, err := config.Load(flags, func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(cfg, Program{Version: "test"}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "STATIC_DIR: folder \""+bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("<!doctype html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	flags["STATIC_DIR"] = dir
	if status, body := get(t, run(t, flags).url("/iz/xcri/team/1")); status != 200 || body != "<!doctype html>" {
		t.Errorf("%d %s", status, body)
	}
}
