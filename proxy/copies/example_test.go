package copies_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/copies"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// An answer names its tags; the last tag is the minute of its fill.
func Example() {
	c, err := copies.New(copies.Options{
		Headers: reply.NewHeaders(reply.Reuse{CDN: reply.CDN{Tags: "Cache-Tag"}}),
		Routes:  route.NewRouter(store.Endpoints(), ""),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	tags := c.Tags("/teams/7")
	header := c.AppendField([]byte("HTTP/1.1 200 OK\r\n\r\n"), tags, &cache.Entry{Filled: time.Unix(600, 0)})
	fmt.Println(strings.NewReplacer("\r", "", ",", "\n").Replace(strings.TrimSpace(string(header))))
	// Output:
	// HTTP/1.1 200 OK
	// Cache-Tag: xcri
	// xcri:route:/teams/:team_hnd
	// xcri:table:iz_rankings_xcri_team_rankings
	// xcri:scope:2024/*/*/live
	// xcri:key:6d2caa5262363d8a
	// xcri:minute:10
}
