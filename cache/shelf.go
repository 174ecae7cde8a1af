package cache

import (
	"fmt"
	"sync/atomic"

	"github.com/lewistv/xcri-proxy/cache/admission"
)

// place is where a slot is kept.
type place uint32

const (
	nowhere place = iota // a slot that only holds a prepared version
	warm                 // the warm set, which is published with a generation
	hot                  // entries that are requested again and again
	tail                 // all others
	absent               // answers that say that there is nothing
	places
)

// Shares of the budget, in percent: the limit of the warm set, and the room of absent
// answers. The hot shelf gets hotShare of what these leave, the tail gets the rest.
const (
	warmShare   = 45
	absentShare = 5
	hotShare    = 40
)

// largestShare of the tail or of the absent shelf is the most that one entry may take: a
// larger entry would evict many and might then be refused itself.
const largestShare = 4

// shelf is a share of the cache with a budget of its own, so that an entry never evicts
// entries of another shelf. Cache.mu guards all fields but the counts.
type shelf struct {
	name   string
	budget int64
	bytes  int64
	slots  []*slot
	policy *admission.Policy[*slot] // nil for a shelf that evicts nothing by itself
	hand   int                      // where the search for a slot to displace goes on

	evicted  atomic.Int64 // pushed out by other entries
	rejected atomic.Int64 // refused by the admission policy
	tooLarge atomic.Int64 // over the share of the shelf that one entry may take
	dropped  atomic.Int64 // lost because the policy's write buffer was full
}

// shelves are all shelves of a cache, by place.
type shelves struct {
	all   [places]*shelf
	bytes int64 // the budget of all of them
}

func newShelves(bytes int64) (*shelves, error) {
	p := &shelves{bytes: bytes}
	for at, name := range [places]string{nowhere: "", warm: "warm", hot: "hot", tail: "tail", absent: "absent"} {
		p.all[at] = &shelf{name: name}
	}
	p.at(warm).budget = bytes * warmShare / 100
	hotBytes, tailBytes, absentBytes := p.shares(0)
	p.at(hot).budget, p.at(tail).budget, p.at(absent).budget = hotBytes, tailBytes, absentBytes
	for _, at := range [...]place{tail, absent} {
		made, err := admission.New[*slot](p.at(at).budget)
		if err != nil {
			return nil, fmt.Errorf("cache: the budget of %d bytes: %s shelf: %w", bytes, p.at(at).name, err)
		}
		p.at(at).policy = made
	}
	return p, nil
}

func (p *shelves) at(at place) *shelf { return p.all[at] }

// of returns the shelf that keeps a slot.
func (p *shelves) of(s *slot) *shelf { return p.all[s.place.Load()] }

func (p *shelves) name(s *slot) string { return p.of(s).name }

// shares divides the budget that a warm set of the given size leaves.
func (p *shelves) shares(warmBytes int64) (hot, tail, absent int64) {
	absent = p.bytes * absentShare / 100
	rest := p.bytes - absent - warmBytes
	hot = rest * hotShare / 100
	return hot, rest - hot, absent
}

// add puts a slot that is nowhere on a shelf.
func (p *shelf) add(s *slot, at place, cost int64) {
	s.place.Store(uint32(at))
	s.position = len(p.slots)
	p.slots = append(p.slots, s)
	p.bytes += cost
}

// remove takes a slot off the shelf. The caller must update the policy separately.
func (p *shelf) remove(s *slot, cost int64) {
	last := p.slots[len(p.slots)-1]
	p.slots[s.position], last.position = last, s.position
	p.slots[len(p.slots)-1] = nil
	p.slots = p.slots[:len(p.slots)-1]
	p.bytes -= cost
	s.place.Store(uint32(nowhere))
}

// fits reports whether the shelf has room for more bytes without evicting anything.
func (p *shelf) fits(bytes int64) bool { return p.bytes+bytes <= p.budget }
