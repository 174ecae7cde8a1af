package recode_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/reads"
	"github.com/lewistv/xcri-proxy/cache/recode"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// A stored version gets another form in the background.
func ExampleRecoder() {
	ctx, stop := context.WithCancel(context.Background())
	r := recode.New(recode.Options{
		Recode: func(e *entry.Entry) []entry.Variant {
			return append(e.Variants, entry.Variant{Coding: "br", Body: []byte("short"), ETag: []byte(`"1-br"`)})
		},
		Logger: slog.Default(),
		Check:  func(*entry.Content) error { return nil },
		Has:    func(*slot.Version) bool { return true },
		Replace: func(_ *slot.Version, better *entry.Entry) {
			for _, v := range better.Variants {
				fmt.Printf("%q %s\n", v.Coding, v.Body)
			}
			stop()
		},
	})
	r.Add(slot.NewVersion(&entry.Entry{Key: "/teams/", Content: entry.Content{Status: 200, Variants: []entry.Variant{{Body: []byte("a long list"), ETag: []byte(`"1"`)}}}}, reads.Moment{}))
	r.Run(ctx)
	// Output:
	// "" a long list
	// "br" short
}
