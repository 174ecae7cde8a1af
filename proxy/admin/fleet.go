package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/condition"
	"github.com/lewistv/xcri-proxy/proxy/admin/lasting"
	"github.com/lewistv/xcri-proxy/proxy/admin/selector"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// act does an action on this member by calling do and, unless it is local, on all members
// of the fleet. With purge, no shared answer from before the action is used. act returns
// the error of do, and a warning if the other members have not got the action yet.
func (a *Admin) act(kind string, request any, local, purge bool, do func() error) (warning string, err error) {
	f := a.opts.Fleet
	if f == nil {
		return "", do()
	}
	act := f.Act
	if local {
		act = f.ActAlone
	}
	err, away := act(kind, request, purge, do)
	if away == nil {
		return "", err
	}
	a.opts.Logger.Warn("the other members do the action once the shared level is back", "action", kind, "error", away)
	if local {
		return "", err
	}
	return "done on this proxy only: the other members do it once the shared level is back (" + away.Error() + ")", err
}

// Apply does an action of another member that does not last.
func (a *Admin) Apply(action fleet.Action) {
	a.report(action, nil, a.apply(action))
}

// report reports that an action of another member was done, or why not. unkept reports that it
// is not kept for the next run.
func (a *Admin) report(action fleet.Action, unkept, err error) {
	switch {
	case err != nil:
		a.opts.Logger.Warn("action of another member not done", "action", action.Kind, "member", action.By, "error", err)
		a.opts.Events.Add(events.Refused, fmt.Sprintf("not done here: %s by %s: %v", action.Kind, action.By, err))
	default:
		if unkept != nil {
			a.opts.Logger.Warn("action of another member not kept for the next run", "action", action.Kind, "member", action.By, "error", unkept)
		}
		a.opts.Logger.Info("action of another member done", "action", action.Kind, "member", action.By)
	}
}

func (a *Admin) apply(action fleet.Action) error {
	switch action.Kind {
	case fleet.Purge:
		return applied(action, func(req api.PurgeRequest) error {
			match, err := selector.Match(req, a.opts.Routes)
			if err == nil {
				a.opts.Events.Add(events.Purge, selector.Purged(a.opts.Cache.Purge(match, req.Hard), req)+" by "+action.By)
			}
			return err
		})
	case fleet.Table:
		return applied(action, func(table string) error {
			a.opts.Generations.TableChanged(table)
			return nil
		})
	case fleet.Warm:
		return applied(action, func(req api.WarmRequest) error {
			keys, _ := a.keysOf(req.Paths)
			a.warm(req, keys)
			return nil
		})
	case fleet.Local: // it only ends the series, which the log has done
		return nil
	}
	return errors.New("this version does not know the action")
}

// Settle applies the lasting actions of the fleet to this member: see lasting.Follower.
func (a *Admin) Settle(all, news []fleet.Action) {
	f := lasting.Follower{
		Routes: a.opts.Routes, Origins: a.opts.Origins, Mode: a.opts.Maintenance, Report: a.report,
		Set: func(next *maintenance.Period, by string) error { return a.setMaintenance(next, " by "+by) },
		Moved: func(routes []*route.Route, by string) error {
			_, unkept := a.opts.OnSourceChange(routes)
			a.opts.Events.Add(events.Source, "source changed by "+by+": "+sourceText(a.sourceState().Sources))
			return unkept
		},
	}
	f.Settle(all, news)
}

// applied decodes the request of an action and does it.
func applied[T any](action fleet.Action, do func(T) error) error {
	var request T
	if err := json.Unmarshal(action.Data, &request); err != nil {
		return err
	}
	return do(request)
}

// Member describes this proxy to the other members of its fleet.
func (a *Admin) Member(name string) fleet.Info {
	info := fleet.Info{Name: name, Version: a.opts.Version, Health: condition.Own(a.conditions(time.Now()))}
	if g, _ := a.opts.Generations.Published(); g != nil {
		info.Generation, info.Calculated = g.ID(), g.Calculated()
	}
	return info
}

// Forget makes all entries stale: purges of other members may have been missed.
func (a *Admin) Forget() {
	a.opts.Cache.Purge(func(*cache.Entry) bool { return true }, false)
}
