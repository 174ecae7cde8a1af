package tail_test

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/tail"
)

// A listener reads the requests that pass its filter, a line of JSON each.
func ExampleHub() {
	watch := func() (stop func()) {
		fmt.Println("a listener needs the requests")
		return func() { fmt.Println("no listener is left") }
	}
	h := tail.New(watch)
	l, err := h.Listen(tail.Filter{Outcomes: []string{"miss"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	h.Add(&api.Request{Outcome: "hit", Asked: api.Asked{Target: "/teams/"}})
	h.Add(&api.Request{Outcome: "miss", Asked: api.Asked{Target: "/athletes/"}})
	line, _ := bufio.NewReader(l).ReadString('\n')
	fmt.Println(strings.Contains(line, `"target":"/athletes/"`))
	_ = l.Close()
	// Output:
	// a listener needs the requests
	// true
	// no listener is left
}
