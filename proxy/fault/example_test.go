package fault_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/fault"
	"github.com/lewistv/xcri-proxy/store"
)

func ExampleOfQuestion() {
	f := fault.OfQuestion(fmt.Errorf("load /teams/: %w", store.ErrTimeout))
	fmt.Println(f.Status, f.Detail)
	// Output: 504 The rankings database took too long to answer. Please try again shortly.
}
