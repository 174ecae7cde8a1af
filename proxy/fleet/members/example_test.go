package members_test

import (
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/members"
)

// A member that has not published the newest generation is behind.
func Example() {
	var list members.List
	list.Update(map[string]members.Heard{
		"1": {Info: []byte(`{"name":"a","calculated_at":"2025-10-27T06:00:00"}`)},
		"2": {Info: []byte(`{"name":"b","calculated_at":"2025-10-20T06:00:00"}`)},
	}, "1", time.Now())
	for _, m := range list.All() {
		fmt.Println(m.Name, m.Own, !m.Behind.IsZero())
	}
	// Output:
	// a true false
	// b false true
}
