package gate_test

import (
	"context"
	"fmt"

	"github.com/lewistv/xcri-proxy/store/gate"
)

// The server grants one connection of three: a second read waits until its time is over.
func ExampleGate() {
	g := gate.New(3)
	fmt.Println(g.Shrink(1))
	fmt.Println(g.Enter(context.Background(), false))
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	fmt.Println(g.Enter(ended, false))
	g.Leave(false)
	fmt.Println(g.Stats().Limit, g.Stats().Used)
	// Output:
	// 1 true
	// <nil>
	// context canceled
	// 1 0
}
