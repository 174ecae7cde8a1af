package turns_test

import (
	"context"
	"fmt"

	"github.com/lewistv/xcri-proxy/cache/turns"
)

// Searches leave a slot to quick fills, however many searches wait.
func Example() {
	slots := turns.New(4, true)
	search := func() *turns.Turn { return &turns.Turn{Lane: turns.Costly} }
	for range 2 {
		fmt.Println("search:", slots.Enter(context.Background(), search()))
	}
	impatient, cancel := context.WithCancel(context.Background())
	cancel()
	fmt.Println("third search:", slots.Enter(impatient, search()))
	fmt.Println("quick fill:", slots.Enter(context.Background(), &turns.Turn{Lane: turns.Quick}))
	fmt.Printf("%+v\n", slots.Stats()[turns.Costly])
	// Output:
	// search: <nil>
	// search: <nil>
	// third search: context canceled
	// quick fill: <nil>
	// {Running:2 Queued:0}
}
