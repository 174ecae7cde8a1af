package proxy

import (
	"context"
	"fmt"

	"github.com/lewistv/xcri-proxy/store"
)

// Source says where the answers of a route come from.
type Source uint8

// The sources.
const (
	FromStore  Source = iota // the database
	FromLegacy               // the old API
	FromAuto                 // the database, and the old API while that fails
)

var sourceNames = [...]string{"store", "legacy", "auto"}

func (s Source) String() string { return sourceNames[s] }

// ParseSource reads what String writes.
func ParseSource(text string) (Source, error) {
	for i, name := range sourceNames {
		if name == text {
			return Source(i), nil
		}
	}
	return 0, fmt.Errorf("source %q: want store, legacy or auto", text)
}

// load gets the answer to a question from the source of its route.
func (p *Proxy) load(ctx context.Context, r *route, q store.Query, key string) (store.Answer, error) {
	return p.opts.Origin.Run(ctx, q)
}
