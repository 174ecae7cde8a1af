package proxy

import (
	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// lanes are the cache's lanes of the store's kinds of work. A visitor can make up
// searches that take as long as a statement may.
var lanes = map[store.Lane]cache.Lane{store.ByKey: cache.Quick, store.WholeList: cache.Heavy, store.Search: cache.Costly}

// laneOf returns the lane of a fill. Its group is the table that most of the answer is
// read from: whoever locks the table must not hold the fills from other tables.
func laneOf(routes *route.Router, key string) (cache.Lane, string) {
	q, err := routes.Question(key)
	if err != nil {
		return cache.Quick, "" // the fill will fail
	}
	reads := q.Route.Endpoint.Reads
	if len(reads) == 0 {
		return cache.Quick, "" // it needs no database
	}
	return lanes[q.Query.Lane()], reads[0]
}
