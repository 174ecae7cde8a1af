package admin

import (
	"context"
	"errors"
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/season"
	"github.com/lewistv/xcri-proxy/proxy/share"
	"github.com/lewistv/xcri-proxy/proxy/verify"
	"github.com/lewistv/xcri-proxy/proxy/wire"
	"github.com/lewistv/xcri-proxy/store"
)

// database answers no query.
type database struct{}

func (database) Run(context.Context, store.Query) (store.Answer, error) {
	return store.Answer{}, errors.New("not to be asked")
}

func (database) Generation(context.Context) (*store.Generation, error) {
	return &store.Generation{}, nil
}

func (database) ScopeRows(context.Context, string) (map[store.Scope]store.Rows, error) {
	return nil, errors.New("not to be asked")
}

func (database) Stats() store.Stats { return store.Stats{} }

// newFixture returns an Admin of parts that do nothing.
func newFixture(t *testing.T) *Admin {
	t.Helper()
	routes, outage := route.NewRouter(store.Endpoints(), ""), cache.NewOutage(nil)
	cached, err := cache.New(cache.Options{Outage: outage, Fill: func(context.Context, string) (cache.Content, error) {
		return cache.Content{}, errors.New("not to be filled")
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cached.Close)
	origins, err := origin.New(origin.Options{Store: database{}, Routes: routes, Outage: outage})
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{
		Sources: Sources{Season: season.New(season.Options{}),
			Store: database{}, Origins: origins, Verify: verify.New(verify.Options{Store: database{}, Routes: routes}),
		},
		Shares:    share.New(share.Default),
		Resources: Resources{Memory: &memfile.Memory{}, Connections: func() wire.Stats { return wire.Stats{} }},
		Routes:    routes, Cache: cached, Outage: outage,
		Metrics: metrics.New(len(routes.Routes())), Maintenance: maintenance.New(maintenance.Options{}),
		Generations: generation.New(generation.Options{Store: database{}, Cache: cached, Outage: outage, Routes: routes}),
	})
}
