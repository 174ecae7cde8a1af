package store_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/store"
)

// The read API is data: each endpoint has its path, its parameters and its tables.
func ExampleEndpoints() {
	for _, e := range store.Endpoints() {
		if e.Path == "/teams/{team_hnd}" {
			fmt.Println(e.Reads)
			for _, p := range e.Params {
				fmt.Printf("%s, required: %t, default %q\n", p.Name, p.Required, p.Default)
			}
		}
	}
	// Output:
	// [iz_rankings_xcri_team_rankings]
	// team_hnd, required: true, default ""
	// season_year, required: false, default "2024"
	// division, required: false, default ""
	// gender, required: false, default ""
	// scoring_group, required: false, default "division"
	// checkpoint_date, required: false, default ""
	// algorithm_type, required: false, default "light"
}
