package fleettest

import (
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/wanted"
)

// wants are the counts of the keys that visitors want.
type wants struct {
	token string
	until time.Time
	of    map[string]int64
}

func (e *engine) Want(ctx context.Context, r wanted.Report, lasts time.Duration) (c wanted.Counts, err error) {
	err = e.do(ctx, func() error {
		if e.state == Full {
			return fleet.ErrFull
		}
		w := &e.wants
		if !time.Now().Before(w.until) {
			*w = wants{token: rand.Text(), until: time.Now().Add(lasts), of: map[string]int64{}}
		}
		if c.Token = w.token; r.Token != w.token {
			return nil
		}
		for key, change := range r.Changes {
			w.of[key] += change
		}
		c.Keys = slices.SortedFunc(maps.Keys(w.of), func(a, b string) int { return cmp.Or(cmp.Compare(w.of[b], w.of[a]), cmp.Compare(b, a)) })
		c.Keys = slices.DeleteFunc(c.Keys, func(key string) bool { return w.of[key] < int64(r.Least) })
		c.Keys = c.Keys[:min(len(c.Keys), r.Limit)]
		return nil
	})
	return c, err
}
