package admin

import (
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/front"
	"github.com/lewistv/xcri-proxy/store"
)

// purgeFronts purges in the caches in front the answers that a valid request selects.
func (a *Admin) purgeFronts(req api.PurgeRequest) {
	tags := []string{front.All}
	switch {
	case req.Path != nil:
		if s, err := a.opts.Routes.Resolve(*req.Path); err == nil {
			tags = []string{front.Key(s.Key)}
		}
	case req.Route != nil:
		if r, err := a.opts.Routes.Named(*req.Route); err == nil {
			tags = []string{front.Route(r.Path())}
		}
	case req.Scope != nil:
		if s, err := store.ParseScope(*req.Scope); err == nil {
			if of, ok := front.Scopes([]store.Scope{s}); ok {
				tags = of
			}
		}
	}
	a.opts.Fronts.Purge(tags...)
}
