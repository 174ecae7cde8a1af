package limit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/store/limit"
)

// An operation that goes on for too long ends with the error of a deadline.
func ExampleWithin() {
	ctx, cancel := limit.Within(context.Background(), time.Millisecond)
	defer cancel()
	<-ctx.Done()
	fmt.Println(ctx.Err())
	// Output: context deadline exceeded
}
