package events_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/events"
)

func ExampleList() {
	var l events.List
	l.Add(events.Start, "version v7")
	l.Add(events.Publish, "generation 42")
	for _, e := range l.All() {
		fmt.Println(e.Kind, e.Text)
	}
	// Output:
	// start version v7
	// publish generation 42
}
