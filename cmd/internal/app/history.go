package app

import (
	"errors"
	"io/fs"
	"time"
)

// saveHistoryEvery is the interval of saves of the history: after a crash, its last
// minutes matter.
const saveHistoryEvery = time.Minute

// loadHistory reads the ops room's history of an earlier run, or logs why there is none.
func (a *App) loadHistory() {
	path := a.cfg.HistoryFile
	if path == "" {
		return
	}
	switch err := a.proxy.Admin().LoadHistory(path); {
	case errors.Is(err, fs.ErrNotExist):
		a.log.Info("no history file yet, the charts begin now", "path", path)
	case err != nil:
		a.log.Warn("history file ignored, the charts begin now", "path", path, "error", err)
	}
}

// saveHistory writes the history file, if one is configured. It does not write a file
// that another process owns.
func (a *App) saveHistory() {
	a.handOver.mu.Lock()
	defer a.handOver.mu.Unlock()
	if !a.handOver.released {
		a.writeHistory()
	}
}

// writeHistory writes the history file, even if another process owns it. Of failures in
// a row it logs the first.
func (a *App) writeHistory() {
	path := a.cfg.HistoryFile
	if path == "" {
		return
	}
	err := a.proxy.Admin().SaveHistory(path)
	if first := a.proxy.Admin().Wrote("HISTORY_FILE", path, err); first {
		a.log.Error("history not saved", "path", path, "error", err)
	}
}
