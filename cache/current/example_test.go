package current_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/cache/current"
	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

type day string

func (d day) ID() string                { return string(d) }
func (d day) Holds(e *entry.Entry) bool { return e.Generation == string(d) }

// Between the hold and the publish no entry of Monday is fresh.
func Example() {
	c, e := current.New(), &entry.Entry{Content: entry.Content{Generation: "Monday"}}
	c.Publish(&slot.State{Generation: day("Monday")})
	fmt.Println(c.Load().Generation.Holds(e), c.Load().Held())
	c.Hold(day("Tuesday"))
	fmt.Println(c.Load().Generation.Holds(e), c.Load().Held())
	c.Publish(&slot.State{Generation: day("Tuesday")})
	fmt.Println(c.Load().Generation.Holds(e), c.Load().Held())
	// Output:
	// true false
	// false true
	// false false
}
