package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/config"
)

// A file that the proxy replaces must be a regular file, absent, or a link to either,
// and belong to one setting. Otherwise the start ends with the reason.
func TestFilesAreChecked(t *testing.T) {
	dir := t.TempDir()
	link, file := filepath.Join(dir, "link"), filepath.Join(dir, "file")
	if err := os.Symlink("/dev/null", link); err != nil {
		t.Fatal(err)
	}
	for setting, set := range map[string]func(*config.Config, string){
		"CACHE_FILE":   func(c *config.Config, path string) { c.Cache.File = path },
		"STATE_FILE":   func(c *config.Config, path string) { c.StateFile = path },
		"HISTORY_FILE": func(c *config.Config, path string) { c.HistoryFile = path },
		"PID_FILE":     func(c *config.Config, path string) { c.PIDFile = path },
	} {
		for path, want := range map[string]string{
			"/dev/null": "a device", link: "a device", dir: "a folder", file: "", "": "", filepath.Join(dir, "none", "x"): "no such folder",
		} {
			var cfg config.Config
			set(&cfg, path)
			var log bytes.Buffer
			err := checkFiles(cfg, slog.New(slog.NewTextHandler(&log, nil)))
			switch {
			case want == "":
				if err != nil || log.Len() > 0 {
					t.Errorf("%s=%q: %v, log: %s", setting, path, err, &log)
				}
			case want == "no such folder" && setting != "STATE_FILE":
				if err != nil || !strings.Contains(log.String(), want) {
					t.Errorf("%s=%q: %v, log: %s", setting, path, err, &log)
				}
			case err == nil || !strings.Contains(err.Error(), setting) || !strings.Contains(err.Error(), want):
				t.Errorf("%s=%q: %v, want %s", setting, path, err, want)
			}
		}
	}
	cfg := config.Config{Process: config.Process{StateFile: file, PIDFile: file}}
	if err := checkFiles(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "the file of STATE_FILE, too") {
		t.Errorf("one file for two settings: %v", err)
	}
}
