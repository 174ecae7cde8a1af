package cache_test

import (
	"context"
	"fmt"

	"github.com/lewistv/xcri-proxy/cache"
)

// day is a generation: all answers are calculated once a day.
type day string

func (d day) ID() string                { return string(d) }
func (d day) Holds(e *cache.Entry) bool { return e.Generation == string(d) }

// A cache fills missing keys, publishes each generation with its warm set, and serves
// its entries while the origin is down.
func Example() {
	today := day("Monday")
	outage := cache.NewOutage(nil)
	c, err := cache.New(cache.Options{
		Outage: outage,
		Fill: func(_ context.Context, key string) (cache.Content, error) {
			body := fmt.Sprintf("%s of %s", key, today)
			return cache.Content{Status: 200, Size: len(body), Generation: string(today), Variants: []cache.Variant{{Body: []byte(body)}}}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	teams := &cache.Ref{Key: "teams"}
	request := func() {
		entry, outcome, err := c.Get(teams)
		if err != nil {
			fmt.Println("error:", err)
			return
		}
		fmt.Printf("%s: %s\n", outcome, entry.Variants[0].Body)
	}

	c.Publish(today, nil)
	request()
	request()

	today = "Tuesday"
	warm := []string{"teams"}
	c.Prepare(context.Background(), today, warm, func(w cache.Warmed) { fmt.Println("prepared:", w.Key) })
	request()
	c.Publish(today, warm)
	request()

	outage.Down(fmt.Errorf("no route to host"))
	request()

	// Output:
	// miss: teams of Monday
	// hit: teams of Monday
	// prepared: teams
	// hit: teams of Monday
	// hit: teams of Tuesday
	// stale_error: teams of Tuesday
}
