package selector_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/selector"
)

func ExampleText() {
	route := "/teams/"
	fmt.Println(selector.Text(api.PurgeRequest{Route: &route, Hard: true}))
	// Output: route /teams/, hard
}
