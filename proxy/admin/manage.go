package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/store"
)

// maxWarmPaths limits the paths of one request.
const maxWarmPaths = 2000

// readJSON reads the request's body, one JSON object, into v; an empty body changes
// nothing. It answers the request and returns false if the body is not JSON of that form.
func (a *Admin) readJSON(ctx *fasthttp.RequestCtx, v any) bool {
	body := bytes.TrimSpace(ctx.PostBody())
	if len(body) == 0 {
		return true
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if _, more := dec.Token(); err == nil && more != io.EOF {
		err = errors.New("there is more after the JSON object")
	}
	if err != nil {
		reply.Fail(ctx, fasthttp.StatusBadRequest, "The body is not as it should be: "+err.Error())
	}
	return err == nil
}

// serveWarm requests a poll of the database, and paths to warm with it.
func (a *Admin) serveWarm(ctx *fasthttp.RequestCtx) {
	var req api.WarmRequest
	if !a.readJSON(ctx, &req) {
		return
	}
	if len(req.Paths) > maxWarmPaths {
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, fmt.Sprintf("paths: %d are too many, the limit is %d", len(req.Paths), maxWarmPaths))
		return
	}
	answer := api.WarmTicket{Ignored: []api.IgnoredPath{}}
	var keys []string
	seen := map[string]bool{}
	for _, path := range req.Paths {
		switch s, err := a.opts.Routes.Resolve(path); {
		case err != nil:
			answer.Ignored = append(answer.Ignored, api.IgnoredPath{Path: path, Reason: err.Error()})
		case !seen[s.Key]:
			seen[s.Key] = true
			keys = append(keys, s.Key)
		}
	}
	answer.Keys = len(keys)
	switch {
	case req.Accept:
		answer.Ticket = a.opts.Generations.Accept(keys)
	case req.Later:
		a.opts.Generations.Later(keys)
	default:
		answer.Ticket = a.opts.Generations.Poll(keys)
	}
	a.sendJSON(ctx, fasthttp.StatusAccepted, answer)
}

func (a *Admin) warmStatus() api.WarmStatus {
	s := a.opts.Generations.Status()
	return api.WarmStatus{PollStatus: api.PollStatus(s.Polls), WarmProgress: api.WarmProgress(s.Progress), PollFaults: api.PollFaults(s.Faults)}
}

// serveWarmStatus answers with the progress of a warm-up, and with ?snapshot=DATE whether
// that snapshot is published.
func (a *Admin) serveWarmStatus(ctx *fasthttp.RequestCtx) {
	// The status is read first: a generation that it counts is published below too.
	state := api.WarmState{WarmStatus: a.warmStatus()}
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
	a.sendJSON(ctx, fasthttp.StatusOK, state)
}

// servePurge purges the entries that the request selects.
func (a *Admin) servePurge(ctx *fasthttp.RequestCtx) {
	var req api.PurgeRequest
	if !a.readJSON(ctx, &req) {
		return
	}
	match, err := a.selects(req)
	if err != nil {
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, err.Error())
		return
	}
	purged := a.opts.Cache.Purge(match, req.Hard)
	a.opts.Logger.Info("purged", "selector", string(ctx.PostBody()), "entries", purged)
	a.opts.Events.Add(events.Purge, fmt.Sprintf("%d entries purged, %s", purged, selectorText(req)))
	a.sendJSON(ctx, fasthttp.StatusOK, api.Purged{Purged: purged})
}

// selectorText describes the selector of a purge.
func selectorText(req api.PurgeRequest) string {
	text := "all"
	switch {
	case req.Path != nil:
		text = "path " + *req.Path
	case req.Route != nil:
		text = "route " + *req.Route
	case req.Scope != nil:
		text = "scope " + *req.Scope
	}
	if req.Hard {
		return text + ", hard"
	}
	return text
}

// selects returns the condition by which a request selects entries.
func (a *Admin) selects(req api.PurgeRequest) (match func(*cache.Entry) bool, err error) {
	given := 0
	for _, is := range []bool{req.Path != nil, req.Route != nil, req.Scope != nil, req.All} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, fmt.Errorf("give one of path, route, scope and all; there are %d", given)
	case req.Path != nil:
		s, err := a.opts.Routes.Resolve(*req.Path)
		if err != nil {
			return nil, fmt.Errorf("path %q: %w", *req.Path, err)
		}
		return func(e *cache.Entry) bool { return e.Key == s.Key }, nil
	case req.Route != nil:
		return a.ofRoute(*req.Route)
	case req.Scope != nil:
		return inScope(*req.Scope)
	}
	return func(*cache.Entry) bool { return true }, nil
}

// ofRoute matches the entries of one endpoint.
func (a *Admin) ofRoute(name string) (func(*cache.Entry) bool, error) {
	r, err := a.opts.Routes.Named(name)
	return func(e *cache.Entry) bool { return a.opts.Routes.Of(e.Key) == r }, err
}

// inScope matches the entries that depend on a scope.
func inScope(text string) (func(*cache.Entry) bool, error) {
	wanted, err := store.ParsePattern(text)
	if err != nil {
		return nil, err
	}
	return func(e *cache.Entry) bool {
		s, err := store.ParseScope(e.Scope)
		return err == nil && s.Overlaps(wanted)
	}, nil
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
	a.sendJSON(ctx, fasthttp.StatusOK, out)
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
