package front_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/lewistv/xcri-proxy/proxy/front"
	"github.com/lewistv/xcri-proxy/store"
)

// A change of a scope purges the answers of the scope, and of every wider scope.
func Example() {
	purged := make(chan string, 10)
	varnish := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { purged <- r.Method + " " + r.Header.Get("xkey-purge") }))
	defer varnish.Close()
	purger, err := front.New(front.Options{URLs: []string{varnish.URL}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go purger.Run(ctx)
	tags, _ := front.Scopes([]store.Scope{{Season: "2025", Division: "2030", Gender: "M", Checkpoint: store.Live}})
	fmt.Println(len(tags), "tags, such as", tags[3], "and", tags[15])
	purger.Purge(front.Route("/teams/{team_hnd}"))
	fmt.Println(<-purged)
	// Output:
	// 16 tags, such as xcri:scope:*/*/M/live and xcri:scope:2025/2030/M/live
	// PURGE xcri:route:/teams/:team_hnd
}
