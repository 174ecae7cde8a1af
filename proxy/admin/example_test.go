package admin_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/admin"
)

// The pages of operators are below /cache, and /metrics.
func ExampleIsPage() {
	for _, path := range []string{"/cache/stats", "/metrics", "/teams/"} {
		fmt.Println(path, admin.IsPage([]byte(path)))
	}
	// Output:
	// /cache/stats true
	// /metrics true
	// /teams/ false
}
