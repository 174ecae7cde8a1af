package counts_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/fleet/counts"
)

func Example() {
	t := counts.Traffic{Hits: 93, Misses: 7}
	fmt.Printf("%d of %d lookups were hits\n", t.Hits, t.Hits+t.Misses)
	// Output: 93 of 100 lookups were hits
}
