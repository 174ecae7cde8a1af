package shelf_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/cache/shelf"
)

type page struct {
	shelf.Label
	text string
}

// An item that is requested again and again moves from the tail to the hot shelf.
func Example() {
	shelves, err := shelf.New[*page](1 << 20)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shelves.Close()
	p := &page{Label: shelf.Label{Key: "/teams"}, text: "..."}
	shelves.Put(p, shelf.Tail, int64(len(p.text)))
	for range 5 {
		if asked, note := p.Count(); note && shelves.Note(&p.Label, asked) {
			shelves.Promote(p) // returns the items that had to leave
		}
		fmt.Print(p.Place(), " ")
	}
	// Output: tail tail tail hot hot
}
