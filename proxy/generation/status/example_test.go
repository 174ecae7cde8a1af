package status_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/generation/status"
)

func Example() {
	s := status.Status{Polls: status.Polls{Warming: true, Generation: "5-12"}, Progress: status.Progress{Keys: 42, Done: 40, Filled: 21}}
	fmt.Printf("%t %s: %d of %d\n", s.Warming, s.Generation, s.Done, s.Keys)
	// Output: true 5-12: 40 of 42
}
