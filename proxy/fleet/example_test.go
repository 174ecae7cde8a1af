package fleet_test

import (
	"context"
	"fmt"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
)

// A member without a link to the others finds no answer, and fills it from its origin.
func ExampleFleet_Claim() {
	member := fleet.New(fleet.Options{
		Engine: fleettest.NewServer().Engine(), Maker: "v1",
		State: func(cache.Generation, string) fleet.State { return fleet.State{Generation: "1", Sure: true} },
	})
	found, done := member.Claim(context.Background(), nil, "/teams/")
	defer done(nil)
	fmt.Println(found == nil, member.Stats().Hits)
	// Output: true 0
}
