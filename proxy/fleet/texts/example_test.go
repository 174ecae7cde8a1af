package texts_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
	"github.com/lewistv/xcri-proxy/proxy/fleet/texts"
	"github.com/lewistv/xcri-proxy/proxy/fleet/waits"
)

// The first member makes a text, and the second gets it.
func Example() {
	ctx, s := context.Background(), fleettest.NewServer()
	for _, name := range []string{"first", "second"} {
		member := texts.New(texts.Options{
			Engine: s.Engine(), Session: func() context.Context { return ctx }, Waits: waits.New(), ID: name, Maker: "v1", Lease: time.Second,
			Ask: func(ctx context.Context, operation func(context.Context) error) bool { return operation(ctx) == nil },
		})
		text, _ := member.Get(ctx, "a table", func() ([]byte, error) { return []byte("made by the " + name), nil })
		fmt.Printf("the %s has a text %s\n", name, text)
	}
	// Output:
	// the first has a text made by the first
	// the second has a text made by the first
}
