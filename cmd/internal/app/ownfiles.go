package app

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/lewistv/xcri-proxy/cache/atomicfile"
	"github.com/lewistv/xcri-proxy/config"
)

// checkFiles returns an error if a setting names a file that the proxy would replace
// but must not, such as a device. A missing folder is an error only for the state
// file: the proxy works without the others.
func checkFiles(cfg config.Config, log *slog.Logger) error {
	taken := map[string]string{}
	for _, f := range []struct{ setting, path string }{
		{"STATE_FILE", cfg.StateFile}, {"CACHE_FILE", cfg.Cache.File}, {"HISTORY_FILE", cfg.HistoryFile}, {"PID_FILE", cfg.PIDFile},
		{"ACCESS_LOG", cfg.Access.Log},
	} {
		if f.path == "" {
			continue
		}
		if other := taken[f.path]; other != "" {
			return fmt.Errorf("%s %q: it is the file of %s, too", f.setting, f.path, other)
		}
		if taken[f.path] = f.setting; f.setting == "ACCESS_LOG" {
			continue // it is appended to, not replaced
		}
		switch err := atomicfile.Check(f.path); {
		case err == nil:
		case f.setting == "STATE_FILE" || errors.Is(err, atomicfile.ErrNotRegular):
			return fmt.Errorf("%s %q: %w", f.setting, f.path, err)
		default:
			log.Warn("a file can't be written", "setting", f.setting, "path", f.path, "error", err)
		}
	}
	return nil
}
