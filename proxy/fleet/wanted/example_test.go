package wanted_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/fleet/wanted"
)

// A member reports its counts, and gets the keys that the whole fleet wants most.
func Example() {
	var c wanted.Counter
	level := wanted.Counts{Token: "1", Keys: []string{"/teams/", "/athletes/"}}
	report := c.Report(map[string]int64{"/athletes/": 7})
	for !c.Take(report, level) { // the level has not heard of this member
		report = c.Report(map[string]int64{"/athletes/": 7})
	}
	fmt.Println(report.Changes, c.Keys(1))
	// Output: map[/athletes/:7] [/teams/]
}
