package route_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// Two spellings of one request have the same key; the key is a target itself.
func ExampleRouter_Resolve() {
	router := route.NewRouter(store.Endpoints(), "/iz/xcri")
	for _, target := range []string{"/iz/xcri/api/teams/?gender=m&division=2030", "/teams?division=2030&gender=M&unknown=1", "/teams/?limit=x"} {
		q, err := router.Resolve(target)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(q.Route.Path(), q.Key)
	}
	// Output:
	// /teams/ /teams/?division=2030&gender=M
	// /teams/ /teams/?division=2030&gender=M
	// limit: Input should be a valid integer, unable to parse string as an integer
}
