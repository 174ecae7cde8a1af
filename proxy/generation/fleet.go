package generation

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
	"github.com/lewistv/xcri-proxy/store"
)

// late reports whether the other members of the fleet have published a generation that this
// member has not prepared. It then publishes first, and prepares afterwards: requests for
// answers that are not prepared wait for their fills.
func (w *Watcher) late(g generation) bool {
	w.opts.Rounds.Seen(g.ID())
	return w.progress.warmed != "" && w.progress.warmed != g.ID() && w.opts.Rounds.Known() == g.ID()
}

// agree waits until this member may publish a generation that it has prepared.
func (w *Watcher) agree(ctx context.Context, g generation, t *work) error {
	if w.opts.Rounds.Known() == g.ID() {
		return nil
	}
	text, err := json.Marshal(g.Generation)
	if err != nil {
		return err
	}
	err = w.opts.Rounds.Agree(ctx, agree.Decision{Name: g.ID(), Data: text}, t.after)
	if errors.Is(err, agree.ErrOther) {
		return cache.ErrMoved
	}
	return err
}

// follow publishes the generation that the fleet has decided for, if this member has not
// published it.
func (w *Watcher) follow(ctx context.Context) bool {
	round, g := w.opts.Rounds.Round(), &store.Generation{}
	if round == nil || json.Unmarshal(round.Data, g) != nil || w.opts.Rounds.Pass(ctx) != nil {
		return false
	}
	if w.progress.warmed == "" { // it has no warm set yet
		w.opts.Cache.PublishFirst(generation{g})
		w.opts.Rounds.Published(round.Name)
		return true
	}
	t := w.requests.take()
	t.until = ctx // unless there is another decision by now, it prepares nothing
	return w.publish(ctx, generation{g}, &t) == nil
}

// Hold makes requests wait for the publish of a generation that the fleet has decided for.
// It returns false if this member does not publish it: polls are paused, or it has
// published a later generation by itself.
func (w *Watcher) Hold(text []byte) bool {
	g := &store.Generation{}
	published, _ := w.Published()
	if json.Unmarshal(text, g) != nil || w.opts.Paused() || published == nil || g.Calculated() < published.Calculated() {
		return false
	}
	w.opts.Cache.Hold(generation{g})
	return true
}
