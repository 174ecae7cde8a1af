package app

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/snapshot"
	"github.com/lewistv/xcri-proxy/config"
)

// saveEvery is the interval of saves in addition to the save after each publish:
// requests add entries, and slow compressions add variants.
const saveEvery = 10 * time.Minute

// makerOf identifies the maker of entries: the version of the program and the extra
// columns in its answers.
func makerOf(version string, cfg config.Database) string {
	if len(cfg.ExtraColumns) == 0 {
		return version
	}
	return version + " with " + strings.Join(cfg.ExtraColumns, ",")
}

// load returns the saved entries and note of an earlier run, or logs why there are
// none. Entries of another maker are loaded as stale: this version may correct an
// answer whose rows never change.
func load(cfg config.Config, maker string, log *slog.Logger) (entries []cache.Saved, note string) {
	if cfg.Cache.File == "" {
		return nil, ""
	}
	start := time.Now()
	file, err := snapshot.Load(cfg.Cache.File, cfg.Cache.Bytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		log.Info("no cache file yet, starting with a cold cache", "path", cfg.Cache.File)
		return nil, ""
	case err != nil:
		log.Warn("cache file ignored, starting with a cold cache", "path", cfg.Cache.File, "error", err)
		return nil, ""
	}
	if file.By != maker {
		for i := range file.Entries {
			file.Entries[i].Purged = true
		}
	}
	log.Info("cache file loaded", "path", cfg.Cache.File, "entries", len(file.Entries), "bytes", file.Size,
		"age", time.Since(file.At).Round(time.Second), "saved_by", file.By, "seconds", time.Since(start).Seconds())
	return file.Entries, file.Note
}

// toSave requests a save by keepSaved.
func (a *App) toSave() {
	select {
	case a.published <- struct{}{}:
	default: // a request is pending already
	}
}

// keepSaved saves the cache after each publish and every saveEvery, and the history every
// saveHistoryEvery, until ctx ends. It tries a failed save of the cache again with the
// history.
func (a *App) keepSaved(ctx context.Context) {
	tick, minute := time.NewTicker(saveEvery), time.NewTicker(saveHistoryEvery)
	defer tick.Stop()
	defer minute.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.published:
			a.save("a generation was published")
		case <-tick.C:
			a.save("the interval of saves has passed")
		case <-minute.C:
			a.saveHistory()
			if a.unsaved.Load() {
				a.save("it could not be saved before")
			}
		}
	}
}

// save writes the cache file, if one is configured and the cache is not empty. It does
// not write a file that another process owns. The only effect of a failure is a cold
// start.
func (a *App) save(why string) {
	a.handOver.mu.Lock()
	defer a.handOver.mu.Unlock()
	if !a.handOver.released {
		a.writeCache(why)
	}
}

// writeCache writes the cache file, even if another process owns it.
func (a *App) writeCache(why string) {
	if a.cfg.Cache.File == "" {
		return
	}
	start := time.Now()
	entries, err := a.proxy.Save(a.cfg.Cache.File, a.maker)
	a.proxy.Admin().Wrote("CACHE_FILE", a.cfg.Cache.File, err)
	a.unsaved.Store(err != nil)
	switch {
	case err != nil:
		a.log.Error("cache not saved", "path", a.cfg.Cache.File, "because", why, "error", err)
	case entries > 0:
		a.log.Info("cache saved", "entries", entries, "because", why, "seconds", time.Since(start).Seconds())
	}
}
