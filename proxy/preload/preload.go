// Package preload learns which list each page of the site requests, so that the answer to
// the page can name the list and the browser loads both at the same time.
//
// The Learner observes single visits: a browser opens a page without a hint, and for a
// while the lists that the page requests, as their Referer shows, are counted for it. A
// page gets a hint once a list followed it in nine of ten observed visits. One of sample
// visits is still observed without a hint, since the browser requests a list in a hint
// whether the page needs it or not: so a wrong hint is dropped. A client is observed once
// among the recent visits to a page, so that no client alone chooses the list that all
// browsers load.
package preload

import (
	"bytes"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// window is the time for which the requests of an observed visit are counted.
	window = 5 * time.Second
	// least is the number of observed visits before the first hint.
	least = 10
	// share is the least share of observed visits that a list must follow.
	share = 0.9
	// remembered is the number of observed visits after which all counts are halved, so
	// that a page that has changed is judged by its recent visits.
	remembered = 40
	// sample: of this many visits to a page with a hint, the last is observed.
	sample = 8
	// leastSize is the least size of a list that gets a hint, in bytes as sent.
	leastSize = 8 << 10

	maxPages = 512 // pages whose visits are remembered
	maxLists = 16  // lists of a page
	// maxTarget limits the length of a target and of a page's path.
	maxTarget = 512
)

// Learner observes visits. It is safe for concurrent use. A nil Learner observes nothing
// and gives no hints.
type Learner struct {
	// visit is the observed visit; nil for none.
	visit atomic.Pointer[visit]
	mu    sync.Mutex
	pages map[string]*page
}

// visit is a visit of a client to a page.
type visit struct {
	client netip.Prefix
	path   string
	end    time.Time
	lists  map[string]bool // that the page has requested; guarded by the learner's lock
}

// page has the counts of observed visits to a page.
type page struct {
	tag       string // the ETag of the page's file
	visits    int
	unwatched int // visits with a hint since the last observed visit
	// clients are the clients of the last observed visits, at most remembered, the oldest
	// first.
	clients []netip.Prefix
	lists   map[string]*list
	hint    []byte // value of Link; nil for none
	target  string // of the hint
}

// list has the counts of a list that a page requests.
type list struct{ visits, size int }

// New returns a Learner that has observed nothing.
func New() *Learner { return &Learner{pages: map[string]*page{}} }

// Open is called when a client opens a page. It returns the value of the Link header, or
// nil. client holds all addresses of the client, tag is the ETag of the page's file, and
// ready reports whether a list can be answered from the cache.
func (l *Learner) Open(client netip.Prefix, path, tag []byte, ready func(target string) bool) []byte {
	if l == nil || len(path) > maxTarget {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.end(now)
	p := l.pages[string(path)]
	if p == nil || p.tag != string(tag) {
		if p == nil && len(l.pages) >= maxPages {
			l.forget()
		}
		p = &page{tag: string(tag), lists: map[string]*list{}}
		l.pages[string(path)] = p
	}
	due := p.hint == nil || p.unwatched >= sample-1
	switch {
	case due && l.visit.Load() == nil && !slices.Contains(p.clients, client):
		p.unwatched = 0
		p.note(client)
		l.visit.Store(&visit{client: client, path: string(path), end: now.Add(window), lists: map[string]bool{}})
		return nil
	case p.hint == nil || !ready(p.target):
		return nil
	}
	p.unwatched++
	return p.hint
}

// Observing reports whether a visit is observed.
func (l *Learner) Observing() bool { return l != nil && l.visit.Load() != nil }

// Observes reports whether requests with a Referer header may belong to the observed
// visit. It costs an atomic load while no visit is observed.
func (l *Learner) Observes(referer []byte) bool {
	if l == nil {
		return false
	}
	v := l.visit.Load()
	return v != nil && len(referer) > 0 && string(pathOf(referer)) == v.path
}

// Asked is called when a client got a list from the cache, or a 304 for its own copy. size
// is in bytes as sent.
func (l *Learner) Asked(client netip.Prefix, referer, target []byte, size int) {
	v := l.visit.Load()
	if v == nil || v.client != client || len(target) > maxTarget || !fits(target) || string(pathOf(referer)) != v.path {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(time.Now())
	p := l.pages[v.path]
	if l.visit.Load() != v || p == nil {
		return
	}
	asked := p.lists[string(target)]
	if asked == nil {
		if len(p.lists) >= maxLists {
			return
		}
		asked = &list{}
		p.lists[string(target)] = asked
	}
	if asked.size = max(asked.size, size); !v.lists[string(target)] {
		v.lists[string(target)] = true
		asked.visits++
	}
}

// end ends the observed visit if its time is over, and judges the page.
func (l *Learner) end(now time.Time) {
	v := l.visit.Load()
	if v == nil || now.Before(v.end) {
		return
	}
	l.visit.Store(nil)
	if p := l.pages[v.path]; p != nil {
		p.visits++
		p.judge()
	}
}

// note adds the client of an observed visit.
func (p *page) note(client netip.Prefix) {
	if len(p.clients) == remembered {
		p.clients = slices.Delete(p.clients, 0, 1)
	}
	p.clients = append(p.clients, client)
}

// judge chooses the page's hint: the largest list that nearly all visits request.
func (p *page) judge() {
	if p.visits >= remembered {
		p.visits /= 2
		for target, asked := range p.lists {
			if asked.visits /= 2; asked.visits == 0 {
				delete(p.lists, target)
			}
		}
	}
	p.hint, p.target = nil, ""
	if p.visits < least {
		return
	}
	largest := leastSize - 1
	for target, asked := range p.lists {
		if asked.size > largest && float64(asked.visits) >= share*float64(p.visits) {
			largest, p.target = asked.size, target
		}
	}
	if p.target != "" {
		p.hint = []byte("<" + p.target + ">; rel=preload; as=fetch; crossorigin")
	}
}

// forget forgets the page with the fewest observed visits.
func (l *Learner) forget() {
	var least string
	for path, p := range l.pages {
		if least == "" || p.visits < l.pages[least].visits {
			least = path
		}
	}
	delete(l.pages, least)
}

// Hint is a hint that a page gives.
type Hint struct {
	Page, List string
	// Visits is the number of recent visits that were observed, and Asked the number of
	// visits among them that requested the list.
	Visits, Asked int
}

// Hints returns the hints that pages give now, in no order.
func (l *Learner) Hints() (all []Hint) {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for path, p := range l.pages {
		if p.hint != nil {
			all = append(all, Hint{path, p.target, p.visits, p.lists[p.target].visits})
		}
	}
	return all
}

// pathOf returns the path of the page in a Referer header; nil if there is none.
func pathOf(referer []byte) []byte {
	_, rest, ok := bytes.Cut(referer, []byte("://"))
	if !ok {
		return nil
	}
	slash := bytes.IndexByte(rest, '/')
	if slash < 0 {
		return nil
	}
	rest = rest[slash:]
	if end := bytes.IndexAny(rest, "?#"); end >= 0 {
		rest = rest[:end]
	}
	return rest
}

// fits reports whether a target can stand in a Link header as it is: a path of the same
// site, without the characters that end a value or an item there.
func fits(target []byte) bool {
	return bytes.HasPrefix(target, []byte("/")) && !bytes.HasPrefix(target, []byte("//")) &&
		bytes.IndexFunc(target, func(r rune) bool { return r <= ' ' || r > '~' || bytes.ContainsRune([]byte(`<>"\,;`), r) }) < 0
}
