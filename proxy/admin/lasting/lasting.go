// Package lasting derives the sources of answers and the period of maintenance mode from the
// lasting actions of a fleet.
package lasting

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/fleet/actions"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// Parts returns the Parts of actions.Lasting: the parts of a change of sources are routes.
func Parts(routes *route.Router) func(change json.RawMessage) []string {
	return func(change json.RawMessage) (parts []string) {
		var req api.SourceRequest
		if json.Unmarshal(change, &req) != nil {
			return nil
		}
		for _, name := range req.Routes {
			parts = append(parts, path(name, routes))
		}
		return parts
	}
}

// path returns the path of a route; the name itself if there is no such route.
func path(name string, routes *route.Router) string {
	if r, err := routes.Named(name); err == nil {
		return r.Path()
	}
	return name
}

// Sources returns the overrides that follow from actions, by route, for origin.Origins: the
// empty route stands for all. A change that is not understood has no effect.
func Sources(all []actions.Action, routes *route.Router) map[string]string {
	overrides := map[string]string{}
	for _, a := range all {
		var req api.SourceRequest
		if a.Kind != actions.Source || json.Unmarshal(a.Data, &req) != nil {
			continue
		}
		if len(req.Routes) == 0 {
			clear(overrides)
		}
		switch {
		case req.Reset:
		case len(req.Routes) == 0:
			overrides[""] = req.Source
		}
		for _, name := range req.Routes {
			overrides[path(name, routes)] = req.Source
		}
	}
	return overrides
}

// Maintenance returns the period that follows from actions; nil for none.
func Maintenance(all []actions.Action) (*maintenance.Period, error) {
	for _, a := range slices.Backward(all) {
		if a.Kind == actions.Maintenance {
			var req api.MaintenanceRequest
			if err := json.Unmarshal(a.Data, &req); err != nil {
				return nil, err
			}
			return Period(req, a.At)
		}
	}
	return nil, nil
}

// Period checks a request and returns the period that it begins, nil for off.
func Period(r api.MaintenanceRequest, now time.Time) (*maintenance.Period, error) {
	switch {
	case r.On == nil:
		return nil, errors.New("on: true or false is wanted")
	case !*r.On && (r.Until != "" || r.Message != ""):
		return nil, errors.New("until and message: only for on")
	case !*r.On:
		return nil, nil
	}
	return maintenance.NewPeriod(r.Until, r.Message, now)
}

// Unchanged reports whether two periods announce the same end and message.
func Unchanged(a, b *maintenance.Period) bool {
	if a == nil || b == nil {
		return a == b
	}
	until := a.Until == b.Until || a.Until != nil && b.Until != nil && a.Until.Equal(*b.Until)
	return until && a.Message == b.Message
}

// Of converts a state that an earlier run has saved without its actions into actions of
// this member alone. Later actions of the fleet replace them.
func Of(period *maintenance.Period, sources map[string]string) (all []actions.Action) {
	add := func(kind string, at time.Time, request any) {
		if text, err := json.Marshal(request); err == nil {
			all = append(all, actions.Action{Kind: kind, Data: text, At: at})
		}
	}
	begun := time.Unix(0, 0)                                 // before all actions
	for i, name := range slices.Sorted(maps.Keys(sources)) { // all routes first
		req := api.SourceRequest{Source: sources[name], Local: true}
		if name != "" {
			req.Routes = []string{name}
		}
		add(actions.Source, begun.Add(time.Duration(i)*time.Millisecond), req)
	}
	if period != nil {
		req := api.MaintenanceRequest{On: new(true), Message: period.Message, Local: true}
		if period.Until != nil {
			req.Until = period.Until.Format(time.RFC3339)
		}
		add(actions.Maintenance, period.Since, req)
	}
	return all
}
