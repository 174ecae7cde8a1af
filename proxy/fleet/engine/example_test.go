package engine_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
)

// Of two members that look for an answer, one gets the lock, and the other the value.
func Example() {
	server, ctx := fleettest.NewServer(), context.Background()
	members := []engine.Engine{server.Engine(), server.Engine()}
	a, b := members[0], members[1]
	first, _ := a.Claim(ctx, "answer", "a", time.Second, true)
	second, _ := b.Claim(ctx, "answer", "b", time.Second, true)
	fmt.Println(first.Claimed, second.Claimed)
	a.Put(ctx, "answer", "a", []byte("1 value"), time.Hour)
	second, _ = b.Claim(ctx, "answer", "b", time.Second, true)
	fmt.Printf("%s\n", second.Value)
	// Output:
	// true false
	// 1 value
}
