package snapshot_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/snapshot"
)

// The next run of a program loads the entries that this run saved.
func Example() {
	dir, err := os.MkdirTemp("", "snapshot-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "cache")
	entry := cache.Saved{Key: "/teams/", Warm: true, Content: cache.Content{Status: 200, Size: 2, Variants: []cache.Variant{{Body: []byte("[]"), ETag: []byte(`"1"`)}}}}
	n, err := snapshot.Save(path, "example 1.0", "generation 7", []cache.Saved{entry})
	fmt.Println(n, err)
	file, err := snapshot.Load(path, 1<<20)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(file.By, "|", file.Note, "|", file.Entries[0].Key, string(file.Entries[0].Variants[0].Body))
	// Output:
	// 1 <nil>
	// example 1.0 | generation 7 | /teams/ []
}
