// Package wanted counts over a fleet which keys visitors want most. A member reports the
// changes of its own counts, and the shared level adds them up. A report without a reply is
// repeated with the next, so that its changes may count more than once. A count is forgotten
// after some minutes and reported anew, so that neither such changes nor the counts of a
// member that has died last.
package wanted

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
)

// Lasts is the time after which the level forgets the counts.
const Lasts = 15 * time.Minute

const (
	// Every is the interval of reports.
	Every = time.Minute
	// limit limits the list of the fleet, and least is the lowest count of a key in it.
	limit, least = 400, 4
	// most limits the keys that a member reports.
	most = 400
	// settling is the number of reports for which a member keeps the former list after the
	// counts were forgotten: the other members have to report theirs.
	settling = 3
	statusOK = 200
)

// Report holds the changes of a member's counts since its last report.
type Report struct {
	// Token names the present counts of the level; the level ignores the changes of a
	// report with another token.
	Token   string
	Changes map[string]int64 // by key
	// Limit is the most keys to list, and Least the lowest count of a listed key.
	Limit, Least int

	counts map[string]int64 // of the member
}

// Counts are the present counts of the level.
type Counts struct {
	Token string
	Keys  []string // by count, the highest first
}

// Counter makes the reports of one member. The zero value is ready. It is safe for
// concurrent use.
type Counter struct {
	exchanging sync.Mutex // held for an exchange

	mu       sync.Mutex
	token    string
	reported map[string]int64 // that the level has taken
	reports  int              // since the token is the present
	keys     []string
}

// Report returns the next report of a member, whose counts are asked.
func (c *Counter) Report(asked map[string]int64) Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(asked), func(a, b string) int { return cmp.Or(cmp.Compare(asked[b], asked[a]), cmp.Compare(a, b)) })
	r := Report{Token: c.token, Changes: map[string]int64{}, Limit: limit, Least: least, counts: map[string]int64{}}
	for _, key := range keys[:min(most, len(keys))] {
		r.counts[key] = asked[key]
		if change := asked[key] - c.reported[key]; change != 0 {
			r.Changes[key] = change
		}
	}
	for key, n := range c.reported {
		if _, ok := r.counts[key]; !ok {
			r.Changes[key] = -n
		}
	}
	return r
}

// Take takes over the counts of the level after a report. It returns false if the report was
// for counts that the level has forgotten: the member reports again.
func (c *Counter) Take(r Report, counts Counts) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if counts.Token != r.Token {
		c.token, c.reported, c.reports = counts.Token, nil, 0
		return false
	}
	c.reported = r.counts
	if c.reports++; c.reports > settling || len(counts.Keys) > len(c.keys) {
		c.keys = counts.Keys
	}
	return true
}

// Exchange sends a report, and takes over the counts that send returns unless the level is
// away. It does nothing while another exchange runs.
func (c *Counter) Exchange(asked map[string]int64, send func(Report) (counts Counts, up bool)) {
	if !c.exchanging.TryLock() {
		return
	}
	defer c.exchanging.Unlock()
	for range 2 { // the first report may be for counts that the level has forgotten
		r := c.Report(asked)
		counts, up := send(r)
		if !up || c.Take(r, counts) {
			return
		}
	}
}

// Keys returns the most wanted keys by the last report, at most n, the most wanted first.
func (c *Counter) Keys(n int) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.keys[:min(n, len(c.keys))])
}

// Of returns the requests for the keys that a cache holds with content.
func Of(c *cache.Cache) map[string]int64 {
	of := map[string]int64{}
	c.Asked(func(e *cache.Entry, asked uint32) {
		if asked > 0 && e.Status == statusOK {
			of[e.Key] = int64(asked)
		}
	})
	return of
}
