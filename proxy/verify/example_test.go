package verify_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/verify"
	"github.com/lewistv/xcri-proxy/store"
)

func ExampleComparable() {
	routes := route.NewRouter(store.Endpoints(), "")
	fmt.Println(verify.Comparable(routes.Of("/teams/")), verify.Comparable(routes.Of("/health")))
	// Output: true false
}
