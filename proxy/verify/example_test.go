package verify_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/verify"
)

func ExampleComparable() {
	fmt.Println(verify.Comparable("/teams/"), verify.Comparable("/health"))
	// Output: true false
}
