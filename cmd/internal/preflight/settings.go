package preflight

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/lewistv/xcri-proxy/cache/atomicfile"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/plural"
	"github.com/lewistv/xcri-proxy/proxy/site"
)

// checkSettings reports settings that are valid but incomplete. A wrong setting ends the
// command before.
func checkSettings(i *inspection, _ context.Context) finding {
	cfg, parts := i.cfg, []finding{}
	if info, err := os.Stat(cfg.EnvFile); err == nil && info.Mode().Perm()&0o007 != 0 {
		parts = append(parts, warn("chmod 600 "+cfg.EnvFile, "%s holds passwords, and every account of this machine may read it", cfg.EnvFile))
	}
	if cfg.Cache.File == "" {
		parts = append(parts, warn("set CACHE_FILE; the shipped systemd units do", "without CACHE_FILE each restart begins with an empty cache"))
	}
	if cfg.StateFile == "" {
		parts = append(parts, warn("set STATE_FILE; the shipped systemd units do", "without STATE_FILE a restart forgets maintenance mode and changed sources"))
	}
	from := "defaults, environment and flags"
	if cfg.EnvFile != "" {
		from = cfg.EnvFile
	}
	return worst(pass("%d settings are valid (%s)", len(config.Keys()), from), parts...)
}

// checkFiles checks that the files of the proxy can be written, by writing beside them.
func checkFiles(i *inspection, _ context.Context) finding {
	var parts []finding
	named := 0
	for _, f := range []struct {
		setting, path string
		bytes         int64 // room that it needs
	}{
		// A new file is complete before it replaces the old file.
		{"CACHE_FILE", i.cfg.Cache.File, 2 * i.cfg.Cache.Bytes}, {"STATE_FILE", i.cfg.StateFile, 1 << 20}, {"HISTORY_FILE", i.cfg.HistoryFile, 4 << 20},
		{"ACCESS_LOG", accessLog(i.cfg), i.cfg.Access.Size}, {"PID_FILE", i.cfg.PIDFile, 1 << 12},
	} {
		if f.path == "" {
			continue
		}
		named++
		remedy := "make the folder of " + f.path + " writable for the account of the service, or change " + f.setting
		if err := tryWrite(f.path); err != nil {
			parts = append(parts, noGo(remedy, "%s: %v", f.setting, err))
			continue
		}
		if free, known := freeBytes(filepath.Dir(f.path)); known && free < f.bytes {
			parts = append(parts, warn("free disk space, or change "+f.setting, "%s may need %s, and the disk has %s left", f.setting, console.Bytes(f.bytes), console.Bytes(free)))
		}
	}
	if named == 0 {
		return skip("no file is set")
	}
	return worst(pass("all folders are writable for this account, and have room"), parts...)
}

// accessLog returns the file of the access log; empty for none.
func accessLog(cfg config.Config) string {
	if cfg.Access.Log == "stdout" {
		return ""
	}
	return cfg.Access.Log
}

// tryWrite returns why the file at path could not be replaced.
func tryWrite(path string) error {
	if err := atomicfile.Check(path); err != nil {
		return err
	}
	probe, err := os.CreateTemp(filepath.Dir(path), ".xcri-proxy-preflight-*")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// checkSite checks that the folder of the site has an index.html that can be read, and
// the files that a build of the app has.
func checkSite(i *inspection, _ context.Context) finding {
	dir := i.cfg.StaticDir
	if dir == "" {
		return warn("set STATIC_DIR to the folder with index.html and assets/",
			"without STATIC_DIR every page of the site is a 404 once Apache sends %s to the proxy", i.cfg.BasePath)
	}
	if _, err := site.New(site.Options{Dir: dir, Variants: content.OfFile, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		remedy := "point STATIC_DIR to the folder with index.html of the built site"
		if errors.Is(err, fs.ErrPermission) {
			remedy = "give the account of the service the right to read " + dir
		}
		return noGo(remedy, "STATIC_DIR: %v", err)
	}
	files, unreadable := 0, ""
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			unreadable = path
			return fs.SkipDir
		}
		if d.Type().IsRegular() {
			files++
			f, err := os.Open(path)
			if err != nil {
				unreadable = path
				return nil
			}
			return f.Close()
		}
		return nil
	})
	if err != nil || unreadable != "" {
		return noGo("give the account of the service the right to read "+dir, "a file of the site can't be read: %s", unreadable)
	}
	return pass("%s has index.html and %s that this account can read", dir, plural.Of(files, "file"))
}
