package outcome_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/cache/outcome"
)

func Example() {
	for o := range outcome.Outcomes {
		fmt.Print(o, " ")
	}
	fmt.Print(outcome.Names()[outcome.Miss])
	// Output: hit stale stale_error miss coalesced pass error miss
}
