package concurrent_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/store/pool/concurrent"
)

// The zero Moment and the zero Flight are ready.
func Example() {
	var answered concurrent.Moment
	fmt.Println(answered.Get().IsZero())
	answered.Set(time.Now())
	fmt.Println(answered.Get().IsZero())

	var probes concurrent.Flight
	fmt.Println(probes.Do(func() error { return errors.New("no route to the server") }))
	// Output:
	// true
	// false
	// no route to the server
}
