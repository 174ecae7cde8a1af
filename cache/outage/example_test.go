package outage_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/lewistv/xcri-proxy/cache/outage"
)

// A load reports in its own era that the origin is down; all other loads end with it.
func Example() {
	origin := outage.New(nil)
	first := origin.Era()
	other, cancel := origin.WhileUp(context.Background())
	defer cancel()

	first.Down(errors.New("connection refused"))
	<-other.Done()
	fmt.Println(first.Err())

	origin.Up()
	first.Down(errors.New("reset")) // an error of the outage that is over
	_, err := origin.Since()
	fmt.Println(err)
	// Output:
	// the origin is down: connection refused
	// <nil>
}
