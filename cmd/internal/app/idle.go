package app

import (
	"os"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/cmd/internal/apart"
	"github.com/lewistv/xcri-proxy/cmd/internal/idle"
	"github.com/lewistv/xcri-proxy/proxy/content"
)

// Program is the program that an App is part of.
type Program struct {
	Version string
	// Apart is the command of the program that writes the smallest form of its standard
	// input. Without a Path the App makes these forms itself.
	Apart apart.Work
}

// shrink returns how the smallest forms of large answers are made in idle time, between
// fills.
func (a *App) shrink(work apart.Work, memory *memfile.Memory, lull *content.Lull) (s cache.Shrink) {
	meter, err := idle.New(idle.Options{Root: os.DirFS("/"), Memory: shrinkMemory})
	if err != nil {
		a.log.Info("large answers are not compressed in idle time", "reason", err)
		return s
	}
	var best content.Best
	if work.Path != "" {
		work.Busy = lull.Watch
		best = work.Logged(a.log)
	}
	s = content.Shrinker(memory, best)
	s.Idle = meter.Idle
	return s
}
