package selector

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/fleet/actions"
	"github.com/lewistv/xcri-proxy/proxy/fleet/series"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// OfActions returns the conditions by which the actions of a fleet select keys.
func OfActions(routes *route.Router) series.Selector {
	return func(kind string, data json.RawMessage) func(key string) bool {
		switch kind {
		case actions.Purge, actions.Local:
			return ofPurge(data, routes)
		case actions.Table:
			return ofTable(data, routes)
		case actions.Source:
			return ofSource(data, routes)
		}
		return nil
	}
}

// Clocks is the longest difference between the clocks of a member and of the shared level.
const Clocks = time.Minute

// OfMissed returns the conditions by which purges select older entries: drop for hard
// purges, and stale for all others and for changes of tables. stale also selects all
// entries from before since, because earlier purges are unknown.
func OfMissed(since time.Time, purges []actions.Action, routes *route.Router) (drop, stale func(*cache.Entry) bool) {
	type purge struct {
		before  time.Time
		selects func(key string) bool
	}
	var hard []purge
	soft := []purge{{before: since.Add(Clocks)}}
	of := OfActions(routes)
	for _, a := range purges {
		one := purge{a.At.Add(Clocks), of(a.Kind, a.Data)}
		var req api.PurgeRequest
		if a.Kind == actions.Purge && json.Unmarshal(a.Data, &req) == nil && req.Hard {
			hard = append(hard, one)
		} else {
			soft = append(soft, one)
		}
	}
	condition := func(all []purge) func(*cache.Entry) bool {
		return func(e *cache.Entry) bool {
			return slices.ContainsFunc(all, func(p purge) bool {
				return e.Filled.Before(p.before) && (p.selects == nil || p.selects(e.Key))
			})
		}
	}
	return condition(hard), condition(soft)
}

// ofPurge selects the keys of the entries that a purge selects.
func ofPurge(data json.RawMessage, routes *route.Router) func(key string) bool {
	var req api.PurgeRequest
	if json.Unmarshal(data, &req) != nil || req.All {
		return nil
	}
	match, err := Match(req, routes)
	if err != nil {
		return nil
	}
	return func(key string) bool {
		q, err := routes.Question(key)
		return err != nil || match(&cache.Entry{Key: key, Content: cache.Content{Scope: q.Query.Scope().String()}})
	}
}

// ofTable selects the keys of the routes that read a table.
func ofTable(data json.RawMessage, routes *route.Router) func(key string) bool {
	var table string
	if json.Unmarshal(data, &table) != nil || table == "" {
		return nil
	}
	return func(key string) bool {
		r := routes.Of(key)
		return r == nil || slices.Contains(r.Endpoint.Reads, table)
	}
}

// ofSource selects the keys of the routes whose source changes.
func ofSource(data json.RawMessage, routes *route.Router) func(key string) bool {
	var req api.SourceRequest
	if json.Unmarshal(data, &req) != nil || len(req.Routes) == 0 {
		return nil
	}
	var moved []*route.Route
	for _, name := range req.Routes {
		r, err := routes.Named(name)
		if err != nil {
			return nil
		}
		moved = append(moved, r)
	}
	return func(key string) bool {
		r := routes.Of(key)
		return r == nil || slices.Contains(moved, r)
	}
}
