package top

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/plural"
)

// print prints a line for each read of the figures until ctx ends, or with Once the
// whole screen after two reads.
func (v *view) print(ctx context.Context, from Source, f Options, w io.Writer) error {
	tick := time.NewTicker(f.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		v.add(read(ctx, from, v.now()))
		switch {
		case ctx.Err() != nil:
			return nil
		case f.Once && v.failed.err != nil:
			return v.failed.err
		case f.Once:
			for _, l := range v.lines(0) {
				if _, err := fmt.Fprintln(w, l.text); err != nil {
					return err
				}
			}
			return nil
		}
		if _, err := fmt.Fprintln(w, v.oneLine()); err != nil {
			return err
		}
	}
}

// oneLine sums up the last interval.
func (v *view) oneLine() string {
	if v.failed.err != nil {
		return v.failed.at.Format(time.TimeOnly) + "  " + v.state().text
	}
	s := v.now()
	text := fmt.Sprintf("%s  %.1f requests/s, hits %s, errors %.1f/s, p99 %.2f ms, pool %d of %d, %s, %d waiting, %d MiB",
		s.at.Format(time.TimeOnly), v.rate(0, requests), share(v.hitRatio(0)), v.rate(0, outcome("error")), s.latest.All.P99,
		s.stats.Pool.InUse, s.stats.Pool.Limit, plural.Of(s.stats.Cache.Filling, "fill"), s.stats.Cache.Waiting, s.stats.Memory.RSS>>20)
	if state := v.state(); state.look == bad {
		text += "; " + state.text
	}
	return text
}
