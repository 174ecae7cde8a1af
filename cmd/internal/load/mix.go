package load

import (
	"math/rand/v2"
	"sync"
)

// A day of the site is 18,000 visitors who load 10 pages each, which ask for 3 to
// 5 things: 180,000 pages, 720,000 requests. Source: the old project's own count
// of a day. What the pages ask for, and with which parameters, is what the site's
// pages do. The frequency of each page was never counted: the shares are a
// guess that comes to 4 requests a page.
const pagesPerVisit = 10

// page is a page of the site, or a view that opens on one.
type page struct {
	name  string
	share int // of a hundred pages after the first of a visit
	ask   func(*visitor)
}

var pages = []page{
	{"athletes", 21, (*visitor).athletes},
	{"teams", 14, (*visitor).teams},
	{"head-to-head ranking", 8, (*visitor).knockouts},
	{"region or conference", 9, (*visitor).filtered},
	{"team", 30, (*visitor).teamProfile},
	{"past rankings", 8, (*visitor).past},
	{"component scores", 4, (*visitor).scores},
	{"athlete", 1, (*visitor).athlete},
	{"matchups", 2, (*visitor).matchups},
	{"two teams", 1, (*visitor).twoTeams},
	{"search", 1, (*visitor).search},
	{"old link", 1, (*visitor).gone},
}

// accepts are the Accept-Encoding headers that visits come with: all but a few
// are of browsers, the others of crawlers and scripts.
var accepts = []struct {
	share  int // of a hundred visits
	header string
}{{94, "gzip, deflate, br, zstd"}, {4, "gzip"}, {2, ""}}

// atHome is how many of a hundred pages are of the division and gender that the
// visit began with, and of a hundred teams, regions and conferences of these the
// visitor's own.
const atHome = 75

// nobody is a handle that no athlete and no team has.
const nobody = 999_999_999

// Mix gives out visits as the real site's visitors make them, always the same
// ones for a seed. Its methods are safe for concurrent use.
type Mix struct {
	mu        sync.Mutex
	catalogue *Catalogue
	rand      *rand.Rand
	zipf      zipf
	total     int // zero for no end
	given     int
	perPage   []int // how often each page was drawn
}

// NewMix returns a source of total requests; zero means no end.
func NewMix(c *Catalogue, seed uint64, total int) *Mix {
	return &Mix{catalogue: c, rand: rand.New(rand.NewPCG(seed, 0)), total: total, perPage: make([]int, len(pages))}
}

// Total returns how many requests there are in all, and zero if there is no end.
func (m *Mix) Total() int { return m.total }

// Next returns the next visit.
func (m *Mix) Next() *Visit {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.total > 0 && m.given == m.total {
		return nil
	}
	v := &visitor{Mix: m, accept: accepts[m.pick(len(accepts), func(i int) int { return accepts[i].share })].header}
	v.home = m.scope()
	v.team, _ = one(v, v.home.Teams)
	v.region, _ = one(v, v.home.Regions)
	v.conference, _ = one(v, v.home.Conferences)
	v.front()
	for range pagesPerVisit - 1 {
		v.scope = v.home
		if !v.chance(atHome) {
			v.scope = m.scope()
		}
		i := m.pick(len(pages), func(i int) int { return pages[i].share })
		m.perPage[i]++
		pages[i].ask(v)
	}
	if m.total > 0 {
		v.requests = v.requests[:min(len(v.requests), m.total-m.given)]
	}
	m.given += len(v.requests)
	return &Visit{v.requests, NewBrowser()}
}

// pick returns an index below n, drawn by shares of a hundred.
func (m *Mix) pick(n int, share func(int) int) int {
	at := m.rand.IntN(100)
	for i := range n {
		if at -= share(i); at < 0 {
			return i
		}
	}
	return n - 1
}

func (m *Mix) scope() *Scope {
	return &m.catalogue.Scopes[m.zipf.draw(m.rand, len(m.catalogue.Scopes))]
}

// chance is true so many times of a hundred.
func (m *Mix) chance(of int) bool { return m.rand.IntN(100) < of }
