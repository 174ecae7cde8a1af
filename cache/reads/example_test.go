package reads_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/reads"
)

// A purge applies to an answer whose read began before it.
func Example() {
	var r reads.Reads
	before := r.Begin()
	r.Purge(func(e *entry.Entry) bool { return e.Key == "/teams" }, true)
	after := r.Begin()
	for _, read := range []reads.Moment{before, after} {
		dropped, _ := r.Purged(read, &entry.Entry{Key: "/teams"})
		fmt.Println(dropped)
		r.End(read)
	}
	// Output:
	// true
	// false
}
