package gate_test

import (
	"fmt"
	"net/netip"

	"github.com/lewistv/xcri-proxy/proxy/admin/gate"
)

// Without a token only an operator on this machine is admitted, and no request that
// came through a proxy.
func ExampleGate_Decide() {
	g := gate.New(gate.Options{})
	page := gate.Page{Read: true}
	request := func(peer string, fields ...gate.Field) *gate.Request {
		return &gate.Request{
			Peer: netip.MustParseAddr(peer), Account: func() (int, error) { return 0, nil },
			HTTP11: true, Method: "GET", Hosts: []string{"127.0.0.1:8000"}, Fields: fields,
		}
	}
	for name, r := range map[string]*gate.Request{
		"operator": request("127.0.0.1"),
		"stranger": request("203.0.113.5"),
		"visitor":  request("127.0.0.1", gate.Field{Name: "X-Forwarded-For", Value: "203.0.113.5"}),
	} {
		v := g.Decide(r, page)
		fmt.Println(name, v.Admitted(), v.Status)
	}
	// Unordered output:
	// visitor false 403
	// operator true 200
	// stranger false 403
}
