package phase_test

import (
	"context"
	"fmt"

	"github.com/lewistv/xcri-proxy/cache/phase"
)

// Each layer that a fill passes reports its own phases.
func Example() {
	clock := phase.Start(phase.Queue)
	ctx := phase.With(context.Background(), clock)
	fmt.Println(clock.Now())
	load := func(ctx context.Context) { phase.Of(ctx).Begin(phase.Query) }
	load(ctx)
	fmt.Println(clock.Now())
	clock.End()
	times := clock.Times()
	fmt.Println(times.Total() == times[phase.Queue]+times[phase.Query])
	// Output:
	// queue
	// query
	// true
}
