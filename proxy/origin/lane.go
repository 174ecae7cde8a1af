package origin

import (
	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// lanes maps the store's kinds of work to the cache's lanes. A client can request any
// number of different searches, each of which may take as long as a statement may.
var lanes = map[store.Lane]cache.Lane{store.ByKey: cache.Quick, store.WholeList: cache.Heavy, store.Search: cache.Costly}

// LaneOf returns the lane and the group of a fill. The group is the table that most of
// the answer is read from, so that a lock on the table does not block fills from other
// tables.
func LaneOf(routes *route.Router, key string) (cache.Lane, string) {
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
