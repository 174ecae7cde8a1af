package fleet

import (
	"github.com/lewistv/xcri-proxy/proxy/fleet/sums"
	"github.com/lewistv/xcri-proxy/proxy/fleet/texts"
	"github.com/lewistv/xcri-proxy/store"
)

// Sums returns a database that shares the sums of tables: one member reads a table for all.
// This member has the sums at the known stamps already.
func (f *Fleet) Sums(of sums.Store, known map[string]store.Stamp) *sums.Shared {
	return sums.Share(of, known, texts.New(texts.Options{
		Engine: f.opts.Engine, Ask: f.ask, Session: f.lasting, Waits: f.waits, ID: f.id, Maker: f.opts.Maker, Lease: lease * f.opts.Budget,
	}))
}
