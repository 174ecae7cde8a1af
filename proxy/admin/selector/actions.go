package selector

import (
	"encoding/json"
	"slices"

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
