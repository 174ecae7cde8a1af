package season

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/store"
)

// plan is the order of all keys of a season.
type plan struct {
	streams []stream
	keys    int
}

// stream holds the targets of one kind in one scope, in their order.
type stream struct {
	kind   int // index into kinds
	of     *live
	count  int
	given  int
	weight float64 // estimated requests for the first target, compared with other streams
}

// newPlan returns the plan of scopes, of which popularity returns the requests.
func newPlan(scopes []*live, popularity func(*live) float64) *plan {
	p := &plan{}
	for _, l := range scopes {
		of := 1 + popularity(l)
		for k := range kinds {
			if n := kinds[k].count(l); n > 0 {
				p.streams = append(p.streams, stream{kind: k, of: l, count: n, weight: kinds[k].share * of})
				p.keys += n
			}
		}
	}
	return p
}

// inARow sets the number of targets that a stream gives in a row: 1 + n/inARow after n
// targets. Their requests differ little by estimate, and fills of one scope in a row cost
// less.
const inARow = 8

// targets returns all targets of the plan with the index of their kind, the target with the
// most requests by estimate first. The n-th subject of a ranking gets 1/n of the requests
// for the first.
func (p *plan) targets() iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for {
			var best *stream
			most := 0.0
			for i := range p.streams {
				s := &p.streams[i]
				if w := s.weight / float64(s.given+1); s.given < s.count && w > most {
					best, most = s, w
				}
			}
			if best == nil {
				return
			}
			for range min(1+best.given/inARow, best.count-best.given) {
				best.given++
				if !yield(best.kind, kinds[best.kind].target(best.of, best.given-1)) {
					return
				}
			}
		}
	}
}

// scopes returns the live scopes of a generation with their subjects. It reads the subjects
// of the scopes whose state has changed since the last call.
func (w *Walker) scopes(ctx context.Context, g *store.Generation) ([]*live, error) {
	var all []*live
	for _, s := range g.Live() {
		state := g.Of(s)
		i := slices.IndexFunc(w.known, func(l *live) bool { return l.Scope == s && l.state == state })
		l := &live{Scope: s, state: state, dates: dates(g, s)}
		if i >= 0 {
			l.subjects = w.known[i].subjects
		} else {
			var err error
			if l.subjects, err = w.opts.Store.Subjects(ctx, s); err != nil {
				return nil, err
			}
		}
		all = append(all, l)
	}
	w.known = all
	return all, nil
}

// dates returns the dates of a scope's snapshots in its season, newest first.
func dates(g *store.Generation, s store.Scope) (all []string) {
	for _, other := range g.Scopes() {
		if other.Division == s.Division && other.Gender == s.Gender && strings.HasPrefix(other.Checkpoint, s.Season+"-") && !slices.Contains(all, other.Checkpoint) {
			all = append(all, other.Checkpoint)
		}
	}
	slices.Sort(all)
	slices.Reverse(all)
	return all
}

// popularity returns a function that returns the requests for the cached answers of a live
// scope.
func popularity(c Cache) func(*live) float64 {
	of := map[string]float64{}
	c.Asked(func(e *cache.Entry, asked uint32) { of[e.Scope] += float64(asked) })
	return func(l *live) float64 { return of[l.Scope.String()] }
}
