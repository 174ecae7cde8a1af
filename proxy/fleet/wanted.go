package fleet

import (
	"context"

	"github.com/lewistv/xcri-proxy/proxy/fleet/wanted"
)

// Popular returns the keys that visitors of the whole fleet want most, at most n, the most
// wanted first; none while the level is away.
func (f *Fleet) Popular(n int) []string {
	if f == nil || f.link.now.Load() == nil {
		return nil
	}
	return f.wanted.Keys(n)
}

// Want reports the keys that visitors of this member want, and reads the fleet's.
func (f *Fleet) Want(ctx context.Context) {
	f.wanted.Exchange(f.opts.Asked(), func(r wanted.Report) (counts wanted.Counts, up bool) {
		up = f.ask(ctx, func(ctx context.Context) (err error) {
			counts, err = f.opts.Engine.Want(ctx, r, wanted.Lasts)
			return err
		})
		return counts, up
	})
}
