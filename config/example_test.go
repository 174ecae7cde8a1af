package config_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/config"
)

// A flag counts before the environment, and the environment before the default.
func ExampleLoad() {
	flags := map[string]string{"CACHE_BYTES": "32MiB"}
	environment := map[string]string{"CACHE_BYTES": "16MiB", "GENERATION_POLL": "1s", "DATABASE_PASSWORD": "secret"}
	cfg, err := config.Load(flags, func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg.Cache.Bytes>>20, cfg.Cache.Poll, cfg.Cache.Settle, cfg.Database.Password)
	_, err = config.Load(map[string]string{"CACHE_BYTES": "1TB"}, func(string) (string, bool) { return "", false })
	fmt.Println(err)
	// Output:
	// 32 1s 5s (hidden)
	// CACHE_BYTES="976562500KiB" (flag --cache-bytes): must be at most 105MiB, 70% of MEMORY_LIMIT, which is 150MiB (default)
}
