package api_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// A stale answer is a hit for the client, which waits for no fill.
func ExampleHitRatio() {
	fmt.Println(api.HitRatio(map[string]int64{"hit": 6, "stale": 1, "miss": 2, "coalesced": 1}))
	// Output: 0.7
}
