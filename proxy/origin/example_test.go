package origin_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// database answers all questions alike.
type database struct{}

func (database) Run(context.Context, store.Query) (store.Answer, error) {
	return store.Answer{Status: 200, Body: []byte(`{"results":[]}`)}, nil
}

func ExampleOrigins_Load() {
	router := route.NewRouter(store.Endpoints(), "")
	origins, err := origin.New(origin.Options{
		Store: database{}, Routes: router, Outage: cache.NewOutage(slog.New(slog.DiscardHandler)),
		OnLoad: func(l origin.Load) { fmt.Println("loaded from", l.Source) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	q, _ := router.Resolve("/teams/?limit=3")
	answer, err := origins.Load(context.Background(), q)
	fmt.Println(string(answer.Body), err)
	_, err = origins.Override("legacy", nil)
	fmt.Println(errors.Is(err, origin.ErrNoLegacy))
	// Output:
	// loaded from store
	// {"results":[]} <nil>
	// true
}
