package survey_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/redis/survey"
)

// Nothing listens at this socket.
func ExampleOf() {
	_, err := survey.Of(context.Background(), "unix:///nowhere/redis.sock", survey.Limits{Use: time.Minute, Ask: time.Minute})
	fmt.Println(err)
	// Output:
	// no server: dial unix /nowhere/redis.sock: connect: no such file or directory
}
