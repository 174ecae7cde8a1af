package redis_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/fleet/redis"
)

// An address is checked before any connection, and an error does not repeat its password.
func ExampleCheck() {
	fmt.Println(redis.Check("rediss://:secret@cache.example:6379/0"))
	fmt.Println(redis.Check("cache.example:6379") != nil)
	// Output:
	// <nil>
	// true
}
