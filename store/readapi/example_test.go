package readapi_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/store/query"
	"github.com/lewistv/xcri-proxy/store/readapi"
)

func ExampleEndpoints() {
	for _, e := range readapi.Endpoints() {
		if e.Lane == query.ByKey && len(e.Reads) > 1 {
			fmt.Println(e.Path)
		}
	}
	// Output:
	// /teams/{team_hnd}/resume
	// /team-five/{team_hnd}/resume
	// /team-knockout/matchups
	// /team-knockout/matchups/head-to-head
	// /team-knockout/matchups/common-opponents
	// /team-knockout/matchups/meet/{race_hnd}
}
