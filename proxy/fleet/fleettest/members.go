package fleettest

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"time"

	fleetengine "github.com/lewistv/xcri-proxy/proxy/fleet/engine"
	"github.com/lewistv/xcri-proxy/proxy/fleet/members"
)

// nameOf returns the name in the report of a member; empty if the report has none.
func nameOf(info []byte) string {
	var state members.Info
	json.Unmarshal(info, &state)
	return state.Name
}

func (e *engine) Beat(ctx context.Context, r members.Report) (found map[string]members.Heard, err error) {
	err = e.do(ctx, func() error {
		now, name := time.Now(), nameOf(r.Info)
		e.members[r.ID] = heard{bytes.Clone(r.Info), now}
		delete(e.gone, name)
		if r.First && name != "" {
			maps.DeleteFunc(e.members, func(id string, m heard) bool { return id != r.ID && nameOf(m.info) == name })
		}
		if r.List {
			found = e.list(now, r.Lasts)
		}
		return nil
	})
	return found, err
}

// list returns the members. The caller holds mu.
func (e *engine) list(now time.Time, lasts time.Duration) map[string]members.Heard {
	found, late := map[string]members.Heard{}, map[string]heard{}
	for id, m := range e.members {
		if now.Sub(m.at) > lasts {
			delete(e.members, id)
			late[nameOf(m.info)] = m
			continue
		}
		found[id] = members.Heard{Info: m.info, Ago: now.Sub(m.at)}
	}
	e.counts.listed += len(found)
	for _, m := range found {
		delete(late, nameOf(m.Info))
	}
	delete(late, "")
	maps.Copy(e.gone, late)
	for name, m := range e.gone {
		if now.Sub(m.at) > fleetengine.GoneFor {
			delete(e.gone, name)
			continue
		}
		found[name] = members.Heard{Info: m.info, Ago: now.Sub(m.at), Gone: true}
	}
	return found
}

func (e *engine) Damaged() int64 { return 0 }
