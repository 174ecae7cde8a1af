package preload_test

import (
	"fmt"
	"net/netip"

	"github.com/lewistv/xcri-proxy/proxy/preload"
)

// While a visit to a page is observed, the requests that the page's browser sends belong
// to the page, as their Referer shows.
func ExampleLearner() {
	l := preload.New()
	client := netip.MustParsePrefix("203.0.113.7/32")
	ready := func(string) bool { return true }
	fmt.Printf("%q %t\n", l.Open(client, []byte("/iz/xcri/"), []byte(`"tag"`), ready), l.Observing())
	fmt.Println(l.Observes([]byte("https://rankings.example/iz/xcri/?tab=2")), l.Observes([]byte("https://rankings.example/about")))
	// Output:
	// "" true
	// true false
}
