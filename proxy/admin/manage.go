package admin

import (
	"fmt"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/body"
	"github.com/lewistv/xcri-proxy/proxy/admin/selector"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/reply"
)

// maxWarmPaths limits the paths of one request.
const maxWarmPaths = 2000

// serveWarm requests a poll of the database, and paths to warm with it.
func (a *Admin) serveWarm(ctx *fasthttp.RequestCtx) {
	var req api.WarmRequest
	if !body.Read(ctx, &req) {
		return
	}
	if len(req.Paths) > maxWarmPaths {
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, fmt.Sprintf("paths: %d are too many, the limit is %d", len(req.Paths), maxWarmPaths))
		return
	}
	var answer api.WarmTicket
	keys, ignored := a.keysOf(req.Paths)
	answer.Keys, answer.Ignored = len(keys), ignored
	answer.Warning, _ = a.act(fleet.Warm, req, req.Local, false, func() error { answer.Ticket = a.warm(req, keys); return nil })
	body.Send(ctx, fasthttp.StatusAccepted, answer)
}

// keysOf returns the keys of paths, each once, and the paths that have none.
func (a *Admin) keysOf(paths []string) (keys []string, ignored []api.IgnoredPath) {
	ignored = []api.IgnoredPath{}
	seen := map[string]bool{}
	for _, path := range paths {
		switch s, err := a.opts.Routes.Resolve(path); {
		case err != nil:
			ignored = append(ignored, api.IgnoredPath{Path: path, Reason: err.Error()})
		case !seen[s.Key]:
			seen[s.Key] = true
			keys = append(keys, s.Key)
		}
	}
	return keys, ignored
}

// warm requests a poll, and keys to warm with it. It returns the ticket of the poll.
func (a *Admin) warm(req api.WarmRequest, keys []string) (ticket int64) {
	switch {
	case req.Accept:
		return a.opts.Generations.Accept(keys)
	case req.Later:
		a.opts.Generations.Later(keys)
		return 0
	}
	return a.opts.Generations.Poll(keys)
}

func (a *Admin) warmStatus() api.WarmStatus {
	s := a.opts.Generations.Status()
	return api.WarmStatus{PollStatus: api.PollStatus(s.Polls), WarmProgress: api.WarmProgress(s.Progress), PollFaults: api.PollFaults(s.Faults), Season: a.opts.Season.Report()}
}

// serveWarmStatus answers with the progress of a warm-up, and with ?snapshot=DATE whether
// that snapshot is published.
func (a *Admin) serveWarmStatus(ctx *fasthttp.RequestCtx) {
	// The status is read first: a generation that it counts is published below too.
	state := api.WarmState{WarmStatus: a.warmStatus(), HeldTables: a.opts.Generations.HeldTables()}
	g, at := a.opts.Generations.Published()
	down, _ := a.opts.Outage.Since()
	state.PublishedAt, state.DownSince = orNull(at), orNull(down)
	if g != nil {
		state.Current = g.ID()
		if newest := g.Snapshot(); len(newest) > 0 {
			state.Snapshot = newest[0].Checkpoint
		}
	}
	if ctx.QueryArgs().Has("snapshot") {
		date := string(ctx.QueryArgs().Peek("snapshot"))
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, fmt.Sprintf("snapshot: %q is not a date as in 2025-10-27", date))
			return
		}
		state.HasSnapshot = new(g != nil && g.Has(date))
	}
	body.Send(ctx, fasthttp.StatusOK, state)
}

// servePurge purges the entries that the request selects.
func (a *Admin) servePurge(ctx *fasthttp.RequestCtx) {
	var req api.PurgeRequest
	if !body.Read(ctx, &req) {
		return
	}
	match, err := selector.Match(req, a.opts.Routes)
	if err != nil {
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, err.Error())
		return
	}
	purged := 0
	warning, _ := a.act(fleet.Purge, req, req.Local, true, func() error { purged = a.opts.Cache.Purge(match, req.Hard); return nil })
	a.purgeFronts(req)
	a.opts.Logger.Info("purged", "selector", string(ctx.PostBody()), "entries", purged)
	a.opts.Events.Add(events.Purge, selector.Purged(purged, req))
	body.Send(ctx, fasthttp.StatusOK, api.Purged{Purged: purged, Warning: warning})
}

// serveEntry answers with the outcome that a request would have.
func (a *Admin) serveEntry(ctx *fasthttp.RequestCtx) {
	path := string(ctx.QueryArgs().Peek("path"))
	if path == "" {
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, "path: a request target is wanted, percent-encoded, as in /cache/entry?path=%2Fteams%2F%3Flimit%3D10")
		return
	}
	s, err := a.opts.Routes.Resolve(path)
	if err != nil {
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, fmt.Sprintf("path %q: %s", path, err))
		return
	}
	seen := a.opts.Cache.Peek(&cache.Ref{Key: s.Key})
	out := api.Entry{Path: path, Route: s.Route.Path(), Key: s.Key, Scope: s.Query.Scope().String(), Outcome: seen.Outcome.String()}
	if g, _ := a.opts.Generations.Published(); g != nil {
		out.Current = g.Of(s.Query.Scope())
	}
	if e := seen.Entry; e != nil {
		age := max(0, time.Since(a.opts.Generations.ConfirmedOf(e, seen.Outcome)))
		out.Where, out.Generation, out.Age, out.Filled = &seen.Where, &e.Generation, new(age.Seconds()), &e.Filled
		out.TookMS, out.Status, out.Size = new(milliseconds(int64(e.Took))), &e.Status, &e.Size
		out.Asked, out.Cost, out.Variants = &seen.Asked, new(e.Cost()), sizesInForms(e)
	}
	body.Send(ctx, fasthttp.StatusOK, out)
}

func sizesInForms(e *cache.Entry) (sizes []api.Variant) {
	for _, v := range e.Variants {
		form := api.Variant{Coding: v.Coding, ETag: string(v.ETag)}
		if v.Coding == "" {
			form.Coding = "identity"
		}
		if v.HasBody() {
			form.Bytes = new(v.Len())
		}
		sizes = append(sizes, form)
	}
	return sizes
}
