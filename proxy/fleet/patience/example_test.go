package patience_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/patience"
)

// The context of an operation ends once its server has been silent for the budget.
func Example() {
	silent := patience.Patience{Moved: func() int64 { return 0 }, Owed: func() time.Duration { return time.Hour }, Budget: time.Millisecond, Most: 4}
	ctx, end := silent.Within(context.Background())
	defer end()
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
	// Output: the shared level is silent
}
