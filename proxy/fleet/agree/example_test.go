package agree_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
)

// A member whose vote is the last holds requests, and publishes once all hold them.
func Example() {
	rounds := agree.New(agree.Options{
		Session: context.Background,
		Cast: func(_ context.Context, v agree.Vote) (agree.Result, bool) {
			fmt.Println("votes", v.Step)
			return agree.Result{Decision: agree.Decision{Name: v.Name}, All: true}, true
		},
		Hold: func(generation []byte) bool { fmt.Printf("holds requests for %s\n", generation); return true },
		Wake: func() {}, HoldTime: time.Second,
	})
	err := rounds.Agree(context.Background(), agree.Decision{Name: "5-12", Data: []byte("the fifth")}, "")
	fmt.Println("publishes", err)
	// Output:
	// votes ready
	// holds requests for the fifth
	// votes held
	// publishes <nil>
}
