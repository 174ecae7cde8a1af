package lasting_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/admin/lasting"
	"github.com/lewistv/xcri-proxy/proxy/fleet/actions"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// The sources follow from the changes of a fleet, the last at the end.
func Example() {
	routes := route.NewRouter(store.Endpoints(), "")
	change := func(request string) actions.Action {
		return actions.Action{Kind: actions.Source, Data: []byte(request)}
	}
	fmt.Println(lasting.Sources([]actions.Action{
		change(`{"source":"auto","routes":["/teams/"]}`), change(`{"reset":true}`),
		change(`{"source":"legacy","routes":["/teams/","/athletes/"]}`), change(`{"source":"store","routes":["/teams/"]}`),
	}, routes))
	// Output: map[/athletes/:legacy /teams/:store]
}
