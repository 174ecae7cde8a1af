package warm

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// awaitSeason waits, with the flag Season, until the walk over the season of the published
// generation has ended, and shows its progress.
func (w *warmer) awaitSeason(ctx context.Context) error {
	if !w.flags.Season {
		return nil
	}
	for {
		state, err := w.state(ctx)
		switch {
		case ctx.Err() != nil:
			return w.late()
		case err != nil:
			return err
		case state.Season.State == api.SeasonOff:
			return exit.Errorf(exit.Runtime, "the proxy fills no season: its setting is WARM=lists")
		}
		if s := &state.Season; s.Generation == state.Current && s.State != api.SeasonFilling {
			w.summary.Season = s
			return seasonResult(s)
		}
		showSeason(w.progress, &state.Season)
		select {
		case <-ctx.Done():
			return w.late()
		case <-time.After(progressEvery):
		}
	}
}

// seasonResult returns the error of a season that is not complete.
func seasonResult(s *api.Season) error {
	switch s.State {
	case api.SeasonFull:
		return exit.Errorf(exit.Partly, "%d of %d answers of the season find no room: all need about %s", s.LeftOut, s.Keys, console.Bytes(s.Needed))
	case api.SeasonIncomplete:
		return exit.Errorf(exit.Partly, "%d of %d answers of the season could not be loaded; the last: %s", s.Failed, s.Keys, s.Error)
	}
	return nil
}

func showSeason(to *console.Progress, s *api.Season) {
	text := fmt.Sprintf("season: %d of %d answers, %s of about %s, %.1f s", s.Done, s.Keys, console.Bytes(s.Bytes), console.Bytes(s.Needed), s.Seconds)
	if s.Waiting != "" {
		text += ", waiting: " + s.Waiting
	}
	to.Bar(s.Done, s.Keys, text)
}
