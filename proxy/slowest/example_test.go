package slowest_test

import (
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/slowest"
)

func ExampleList() {
	var l slowest.List
	for _, r := range []api.Request{{ID: "a", TookMS: 40}, {ID: "b", TookMS: 900}, {ID: "c", TookMS: 200}} {
		r.At = time.Now()
		l.Add(&r)
	}
	for _, r := range l.Slowest() {
		fmt.Println(r.ID, r.TookMS)
	}
	// Output:
	// b 900
	// c 200
	// a 40
}
