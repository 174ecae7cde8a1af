package season_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/season"
	"github.com/lewistv/xcri-proxy/store"
)

// team is a database with one team.
type team struct{}

func (team) Subjects(context.Context, store.Scope) (*store.Subjects, error) {
	return &store.Subjects{Teams: []int64{20032}}, nil
}

func (team) WithSeries(ctx context.Context) context.Context { return ctx }

// shelf is a cache that prints the keys which it is to keep.
type shelf struct{}

func (shelf) Season(f func() bool)             { f() }
func (shelf) Asked(func(*cache.Entry, uint32)) {}

func (shelf) Keep(_ context.Context, key string) (*cache.Entry, bool, error) {
	fmt.Println(key)
	return &cache.Entry{}, true, nil
}

// Once a generation is published, the walk has the cache keep the answers about the team.
func Example() {
	men, _ := store.ParseScope("2025/2030/M/live")
	ctx, stop := context.WithCancel(context.Background())
	walker := season.New(season.Options{
		Store: team{}, Cache: shelf{}, Outage: cache.NewOutage(nil), Routes: route.NewRouter(store.Endpoints(), "/iz/xcri"),
		Published: func() (*store.Generation, time.Time) {
			return store.NewGeneration(store.Calculation{Scope: men}), time.Time{}
		},
		OnFilled: stop,
	})
	walker.Wake()
	walker.Run(ctx)
	fmt.Println(walker.Status().State, walker.Status().Filled)
	// Output:
	// /teams/20032?season_year=2025&division=2030&gender=M
	// /athletes/team/20032/roster?season_year=2025&gender=M
	// /teams/20032/resume?division=2030&gender=M
	// complete 3
}
