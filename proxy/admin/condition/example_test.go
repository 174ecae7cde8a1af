package condition_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/condition"
)

// The gravest condition of the moment comes first, with its cause and remedy.
func ExampleTracker_Observe() {
	now := time.Now()
	f := condition.Figures{At: now}
	f.Data.Published = true
	f.Database.DownSince, f.Database.Error = now.Add(-time.Minute), errors.New("connection refused")
	first := condition.NewTracker().Observe(&f)[0]
	fmt.Println(first.Code, first.Level)
	// Output: down bad
}
