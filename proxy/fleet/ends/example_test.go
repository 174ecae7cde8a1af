package ends_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/fleet/ends"
)

// Close waits for the ends that run. Later ends are not run.
func Example() {
	var claims ends.Ends
	claims.Go(func() { fmt.Println("the answer is stored, and the lease deleted") })
	claims.Close()
	claims.Go(func() { fmt.Println("this claim ends with its lease") })
	// Output: the answer is stored, and the lease deleted
}
