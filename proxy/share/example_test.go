package share_test

import (
	"fmt"
	"net/netip"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/share"
)

// A client waits for at most two fills; a second client is not concerned, and a further
// request for one of the keys is.
func ExampleShares() {
	shares := share.New(share.Limits{Fills: [cache.Lanes]int{cache.Costly: 2}})
	greedy, other := share.Of(netip.MustParseAddr("2001:db8::1")), share.Of(netip.MustParseAddr("192.0.2.7"))
	for _, key := range []string{"/teams/?search=a", "/teams/?search=b", "/teams/?search=c"} {
		fmt.Println(greedy, key, shares.Enter(greedy, cache.Costly, key))
	}
	fmt.Println(other, shares.Enter(other, cache.Costly, "/teams/?search=c"))
	shares.Leave(greedy, cache.Costly, "/teams/?search=a")
	fmt.Println(greedy, shares.Enter(greedy, cache.Costly, "/teams/?search=c"))
	// Output:
	// 2001:db8::/64 /teams/?search=a true
	// 2001:db8::/64 /teams/?search=b true
	// 2001:db8::/64 /teams/?search=c false
	// 192.0.2.7/32 true
	// 2001:db8::/64 true
}
