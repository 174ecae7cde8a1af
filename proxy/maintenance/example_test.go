package maintenance_test

import (
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/maintenance"
)

func ExampleMode() {
	mode := maintenance.New(maintenance.Options{OnEnd: func() { fmt.Println("poll the database now") }})
	now := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	period, err := maintenance.NewPeriod("2026-11-23T02:30:00Z", "We import the new season.", now)
	if err != nil {
		fmt.Println(err)
	}
	_ = mode.Set(period) // the error reports that the change is not kept
	fmt.Println(mode.On(), mode.Period().Notice(now), period.RetryAfter(now))
	_ = mode.Set(nil)
	fmt.Println(mode.On())
	// Output:
	// true Please check back in 30 minutes 30m0s
	// poll the database now
	// false
}
