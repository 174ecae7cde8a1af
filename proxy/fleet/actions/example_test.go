package actions_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/actions"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
)

// An action on one member is done by the others, too.
func Example() {
	server := fleettest.NewServer()
	member := func(name string) *actions.Log {
		return actions.New(actions.Options{
			Engine: server.Engine(), Name: func() string { return name }, Forget: func() {}, Missed: func(time.Time, []actions.Action) {}, Logger: slog.Default(),
			Apply: func(a actions.Action) { fmt.Println(name, "does", a.Kind, string(a.Data), "of", a.By) },
		})
	}
	run := func(operation func(context.Context) error) error { return operation(context.Background()) }
	a, b := member("a"), member("b")
	a.Enter(run)
	b.Enter(run)
	a.Act(actions.Request{Kind: actions.Maintenance, Data: "on"}, func() error { return nil }, func() actions.Run { return run })
	b.Follow(run)
	// Output: b does maintenance "on" of a
}
