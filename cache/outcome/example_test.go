package outcome_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/cache/outcome"
)

func Example() {
	for o := range outcome.Outcomes {
		fmt.Print(o, " ")
	}
	// Output: hit stale stale_error miss coalesced pass error
}
