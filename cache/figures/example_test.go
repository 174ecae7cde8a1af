package figures_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/cache/figures"
	"github.com/lewistv/xcri-proxy/cache/shelf"
)

func Example() {
	stats := figures.Stats{Shelves: []shelf.Stats{{Name: "warm", Entries: 74}}, CurrentStats: figures.CurrentStats{Stale: 2}}
	fmt.Println(stats.Shelves[0].Name, stats.Shelves[0].Entries, stats.Stale)
	// Output: warm 74 2
}
