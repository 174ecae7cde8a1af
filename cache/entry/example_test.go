package entry_test

import (
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/cache/entry"
)

// An answer without a body is not stored.
func Example() {
	all := func(*entry.Content) error { return nil }
	content := entry.Content{Status: 200, Variants: []entry.Variant{{Body: []byte("{}")}}}
	e, err := entry.New("/teams", content, time.Now(), time.Second, all)
	fmt.Println(e.Key, err)

	content.Variants[0].Body = nil
	_, err = entry.New("/teams", content, time.Now(), time.Second, all)
	fmt.Println(err)
	// Output:
	// /teams <nil>
	// the answer may not be stored: it has no body
}
