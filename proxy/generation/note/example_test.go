package note_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/generation/note"
	"github.com/lewistv/xcri-proxy/store"
)

func Example() {
	saved := note.Note{Stamps: map[string]store.Stamp{"teams": {Updated: "2025-10-27 06:00:00"}}}.String()
	fmt.Println(note.Parse(saved).Stamps["teams"].Updated)
	fmt.Println(note.Parse("damaged").Stamps == nil)
	// Output:
	// 2025-10-27 06:00:00
	// true
}
