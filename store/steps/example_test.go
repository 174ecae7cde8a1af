package steps_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/store/steps"
)

// printer is a Meter that prints the steps.
type printer struct{}

func (printer) Begin(s steps.Step)    { fmt.Println("step", s) }
func (printer) Handled(time.Duration) { fmt.Println("handled") }

// A read reports its steps to the Meter of its context.
func Example() {
	read := func(ctx context.Context) {
		f := steps.Of(ctx)
		f.Begin(steps.Connecting)
		f.Begin(steps.Querying)
	}
	read(context.Background())
	read(steps.WithMeter(context.Background(), printer{}))
	// Output:
	// step 0
	// step 1
}
