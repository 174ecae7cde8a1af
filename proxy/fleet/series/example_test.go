package series_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/lewistv/xcri-proxy/proxy/fleet/series"
)

// A purge of a route changes the names of the route's answers alone.
func Example() {
	byRoute := func(_ string, data json.RawMessage) func(string) bool {
		var route string
		if json.Unmarshal(data, &route) != nil {
			return nil
		}
		return func(key string) bool { return strings.HasPrefix(key, route) }
	}
	before := series.Parse("A", byRoute)
	after := series.Parse(before.After(series.Cut{ID: "B", Kind: "purge", Data: []byte(`"/teams/"`)}), byRoute)
	fmt.Println(before.Of("/teams/?limit=1"), before.Of("/athletes/"))
	fmt.Println(after.Of("/teams/?limit=1"), after.Of("/athletes/"))
	// Output:
	// A A
	// A.B A
}
