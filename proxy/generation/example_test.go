package generation_test

import (
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/generation/note"
	"github.com/lewistv/xcri-proxy/store"
)

// A note passes the state of the database to the next run.
func ExampleNote() {
	men, _ := store.ParseScope("2025/2030/M/live")
	text := generation.Note{Published: store.NewGeneration(store.Calculation{Scope: men, At: time.Date(2025, 10, 27, 6, 0, 0, 0, time.UTC)})}.String()
	fmt.Println(note.Parse(text).Published.Calculated())
	// Output: 2025-10-27T06:00:00
}
