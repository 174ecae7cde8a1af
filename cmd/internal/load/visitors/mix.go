package visitors

import (
	"math/rand/v2"
	"sync"
)

// A day of the site has 18,000 visitors who load 10 pages each, with 3 to 5 requests a
// page: 180,000 pages, 720,000 requests. Source: the old project's own count of a day.
// Each page sends the requests and parameters of the site's page. The frequency of
// each page was never counted: the shares are an estimate with a mean of 4 requests a
// page.
const pagesPerVisit = 10

// page is a page of the site, or a view within a page.
type page struct {
	name  string
	share int // percent of the pages after the first of a visit
	ask   func(*visitor)
	past  bool // past rankings, searches and old links, which Mix.Live leaves out
}

var pages = []page{
	{"athletes", 21, (*visitor).athletes, false},
	{"teams", 14, (*visitor).teams, false},
	{"head-to-head ranking", 8, (*visitor).knockouts, false},
	{"region or conference", 9, (*visitor).filtered, false},
	{"team", 30, (*visitor).teamProfile, false},
	{"past rankings", 8, (*visitor).past, true},
	{"component scores", 4, (*visitor).scores, false},
	{"athlete", 1, (*visitor).athlete, false},
	{"matchups", 2, (*visitor).matchups, false},
	{"two teams", 1, (*visitor).twoTeams, false},
	{"search", 1, (*visitor).search, true},
	{"old link", 1, (*visitor).gone, true},
}

// accepts are the Accept-Encoding headers of visits: most of them of browsers, a few
// of crawlers and scripts.
var accepts = []struct {
	share  int // percent of the visits
	header string
}{{94, "gzip, deflate, br, zstd"}, {4, "gzip"}, {2, ""}}

// atHome is the percentage of pages for the division and gender with which the visit
// began, and of the requested teams, regions and conferences there that are the
// visitor's own.
const atHome = 75

// unknownHandle is a handle of no athlete and no team.
const unknownHandle = 999_999_999

// Mix is a Source of visits as on the real site. The visits are determined by the
// seed. Its methods are safe for concurrent use.
type Mix struct {
	mu        sync.Mutex
	catalogue *Catalogue
	rand      *rand.Rand
	zipf      zipf
	total     int // zero means no limit
	given     int
	perPage   []int // number of draws of each page
	live      bool
}

// NewMix returns a source of total requests; zero means no limit.
func NewMix(c *Catalogue, seed uint64, total int) *Mix {
	return &Mix{catalogue: c, rand: rand.New(rand.NewPCG(seed, 0)), total: total, perPage: make([]int, len(pages))}
}

// Live limits the mix to pages of the live rankings that exist: without past rankings,
// searches and old links, and with comparisons of two teams that have met, for which the
// catalogue needs its pairs. It must be called before Next, and returns m.
func (m *Mix) Live() *Mix {
	m.live = true
	return m
}

// page returns the index of a page, drawn by its share.
func (m *Mix) page() int {
	for {
		i := m.pick(len(pages), func(i int) int { return pages[i].share })
		if !m.live || !pages[i].past {
			return i
		}
	}
}

// Total returns the number of requests of all visits; zero means no limit.
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
		i := m.page()
		m.perPage[i]++
		pages[i].ask(v)
	}
	if m.total > 0 {
		v.requests = v.requests[:min(len(v.requests), m.total-m.given)]
	}
	m.given += len(v.requests)
	return &Visit{v.requests, NewBrowser()}
}

// pick returns an index below n, drawn by shares in percent.
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

// chance returns true with a probability in percent.
func (m *Mix) chance(of int) bool { return m.rand.IntN(100) < of }
