package compare_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/compare"
)

func ExampleCompare() {
	store := []byte(`{"total":2,"results":[{"team_rank":1},{"team_rank":2}]}`)
	for _, legacy := range []string{
		`{"results":[{"team_rank":1},{"team_rank":2.0}],"total":2}`,
		`{"total":2,"results":[{"team_rank":2},{"team_rank":1}]}`,
		`{"total":2,"results":[{"team_rank":1},{"team_rank":3}]}`,
	} {
		r := compare.Compare(store, []byte(legacy))
		fmt.Print(r.Verdict)
		if r.Difference != nil {
			fmt.Printf(", at %s: %s and %s", r.Difference.Path, r.Difference.A, r.Difference.B)
		}
		fmt.Println()
	}
	// Output:
	// same_json
	// same_but_order, at results[0].team_rank: 1 and 2
	// different, at results[1].team_rank: 2 and 3
}
