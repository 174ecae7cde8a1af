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

// saveEvery is how often the cache is saved beside after each publish: what is
// asked for changes, and forms of entries that take long to make are added.
const saveEvery = 10 * time.Minute

// makerOf names what makes the entries: the version of the program, and the columns
// that its answers show besides their own.
func makerOf(version string, cfg config.Database) string {
	if len(cfg.ExtraColumns) == 0 {
		return version
	}
	return version + " with " + strings.Join(cfg.ExtraColumns, ",")
}

// load returns the entries and the note that an earlier run saved, or logs why there
// are none. Entries of another maker are served, but as stale: an answer that never
// changes in the database may be one that this version mends.
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

// toSave has keepSaved save the cache soon.
func (a *App) toSave() {
	select {
	case a.published <- struct{}{}:
	default: // the next save is of this one too
	}
}

// keepSaved saves the cache after each publish and now and then, until ctx
// ends.
func (a *App) keepSaved(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.published:
			a.save("a generation was published")
		case <-tick.C:
			a.save("it was time")
		}
	}
}

// save writes the cache file, if there is to be one and something to put in it.
// A failure costs no more than a cold start. A file that is another process's to write
// is left alone.
func (a *App) save(why string) {
	a.handOver.mu.Lock()
	defer a.handOver.mu.Unlock()
	if !a.handOver.released {
		a.writeCache(why)
	}
}

// writeCache writes the cache file, whether or not it is this process's.
func (a *App) writeCache(why string) {
	if a.cfg.Cache.File == "" {
		return
	}
	start := time.Now()
	switch entries, err := a.proxy.Save(a.cfg.Cache.File, a.maker); {
	case err != nil:
		a.log.Error("cache not saved", "path", a.cfg.Cache.File, "because", why, "error", err)
	case entries > 0:
		a.log.Info("cache saved", "entries", entries, "because", why, "seconds", time.Since(start).Seconds())
	}
}
