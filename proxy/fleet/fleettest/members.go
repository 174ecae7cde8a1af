package fleettest

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	fleetengine "github.com/lewistv/xcri-proxy/proxy/fleet/engine"
	"github.com/lewistv/xcri-proxy/proxy/fleet/members"
)

// nameOf returns the name in the report of a member; its ID if the report has none.
func nameOf(id string, info []byte) string {
	var state members.Info
	if json.Unmarshal(info, &state) != nil || state.Name == "" {
		return id
	}
	return state.Name
}

func (e *engine) Beat(ctx context.Context, member string, info []byte, lasts time.Duration, list bool) (found map[string]members.Heard, err error) {
	err = e.do(ctx, func() error {
		now := time.Now()
		e.members[member] = heard{bytes.Clone(info), now}
		delete(e.gone, nameOf(member, info))
		if !list {
			return nil
		}
		found = map[string]members.Heard{}
		for id, m := range e.members {
			if now.Sub(m.at) > lasts {
				delete(e.members, id)
				e.gone[nameOf(id, m.info)] = m
				continue
			}
			found[id] = members.Heard{Info: m.info, Ago: now.Sub(m.at)}
		}
		e.counts.listed += len(found)
		for name, m := range e.gone {
			if now.Sub(m.at) > fleetengine.GoneFor {
				delete(e.gone, name)
				continue
			}
			found[name] = members.Heard{Info: m.info, Ago: now.Sub(m.at), Gone: true}
		}
		return nil
	})
	return found, err
}
