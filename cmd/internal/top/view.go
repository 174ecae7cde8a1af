package top

import (
	"cmp"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// Lists are the lists below the figures, and Sorts the orders of a list.
var (
	Lists = []string{"keys", "routes", "loading", "members"}
	Sorts = []string{"rate", "total", "name"}
)

func indexOf(words []string, word string) int { return slices.Index(words, word) }

// sample holds the figures of a moment, or the error of the attempt to read them.
type sample struct {
	at     time.Time
	stats  api.Stats
	latest api.Sample // of the proxy's history, for the latencies of ten seconds
	err    error
}

// The periods of the mean rates.
const (
	short = 10 * time.Second
	long  = time.Minute
)

// view holds the figures of the last minute and the operator's choices.
type view struct {
	at      string // the proxy's URL
	every   time.Duration
	samples []sample // that were read, the oldest first
	failed  sample   // the last attempt, if it failed
	paused  bool
	list    int // index in Lists
	sort    int // index in Sorts
}

func newView(at string, f Options) *view {
	return &view{at: at, every: f.Interval, list: max(0, indexOf(Lists, f.List)), sort: max(0, indexOf(Sorts, f.Sort))}
}

// add takes new figures. After a restart of the proxy the figures before do not count.
func (v *view) add(s sample) {
	v.failed = sample{}
	if s.err != nil {
		v.failed = s
		return
	}
	if n := len(v.samples); n > 0 && s.stats.UptimeSeconds < v.samples[n-1].stats.UptimeSeconds {
		v.samples = nil
	}
	v.samples = append(v.samples, s)
	for len(v.samples) > 2 && s.at.Sub(v.samples[1].at) >= long {
		v.samples = slices.Delete(v.samples, 0, 1)
	}
}

func (v *view) now() *sample { return &v.samples[len(v.samples)-1] }

// since returns the figures from the beginning of a period that ends now; nil for a
// single sample. A period of zero is the last interval.
func (v *view) since(period time.Duration) *sample {
	n := len(v.samples)
	if n < 2 {
		return nil
	}
	if period == 0 {
		return &v.samples[n-2]
	}
	now := v.now()
	for i := range v.samples[:n-1] {
		if now.at.Sub(v.samples[i].at) <= period+v.every/2 {
			return &v.samples[i]
		}
	}
	return &v.samples[n-2]
}

// rate returns the increase of a count, a second, over a period that ends now.
func (v *view) rate(period time.Duration, count func(*api.Stats) int64) float64 {
	before, now := v.since(period), v.now()
	if before == nil {
		return 0
	}
	return float64(count(&now.stats)-count(&before.stats)) / max(1e-3, now.at.Sub(before.at).Seconds())
}

// outcome returns the count of an outcome.
func outcome(name string) func(*api.Stats) int64 {
	return func(s *api.Stats) int64 { return s.Requests.Outcomes[name] }
}

// requests counts the requests of all outcomes.
func requests(s *api.Stats) (n int64) {
	for _, count := range s.Requests.Outcomes {
		n += count
	}
	return n
}

// hitRatio returns the hit ratio over a period; negative without requests.
func (v *view) hitRatio(period time.Duration) float64 {
	before := v.since(period)
	if before == nil {
		return -1
	}
	counts := map[string]int64{}
	for name, n := range v.now().stats.Requests.Outcomes {
		counts[name] = n - before.stats.Requests.Outcomes[name]
	}
	return hitRatioOf(counts)
}

// hitRatioOf is the hit ratio of requests by outcome; -1 without a request.
func hitRatioOf(outcomes map[string]int64) float64 {
	for name, n := range outcomes {
		if name != "pass" && n > 0 {
			return api.HitRatio(outcomes)
		}
	}
	return -1
}

// item is a line of a list.
type item struct {
	name    string
	rate    float64 // a second
	total   int64
	where   string // of a key
	outcome string // of a key
	route   *api.Route
	load    *api.Load
	member  *api.Member
	gone    *api.GoneMember
	bad     bool
}

// items returns the chosen list in the chosen order.
func (v *view) items() []item {
	list := v.keys()
	switch Lists[v.list] {
	case "routes":
		list = v.routes()
	case "loading":
		return v.loading() // the oldest first
	case "members":
		return v.members() // by name
	}
	slices.SortStableFunc(list, func(a, b item) int {
		switch Sorts[v.sort] {
		case "total":
			return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.name, b.name))
		case "name":
			return cmp.Compare(a.name, b.name)
		}
		return cmp.Or(cmp.Compare(b.rate, a.rate), cmp.Compare(b.total, a.total), cmp.Compare(a.name, b.name))
	})
	return list
}

// keys returns the most requested keys. Their counts halve with each refresh and publish,
// so a count that falls has no rate.
func (v *view) keys() (list []item) {
	before := map[string]uint32{}
	seconds := 1.0
	if s := v.since(short); s != nil {
		seconds = max(1e-3, v.now().at.Sub(s.at).Seconds())
		for _, k := range s.stats.Hottest {
			before[k.Key] = k.Asked
		}
	}
	for _, k := range v.now().stats.Hottest {
		i := item{name: k.Key, total: int64(k.Asked), where: k.Where, outcome: k.Outcome, bad: k.Outcome != "hit"}
		if was, known := before[k.Key]; known && k.Asked > was {
			i.rate = float64(k.Asked-was) / seconds
		}
		list = append(list, i)
	}
	return list
}

// routes returns the routes that have had a request.
func (v *view) routes() (list []item) {
	for path, route := range v.now().stats.Routes {
		count := func(s *api.Stats) (n int64) {
			for _, c := range s.Routes[path].Outcomes {
				n += c
			}
			return n
		}
		errors := func(s *api.Stats) int64 { return s.Routes[path].Outcomes["error"] }
		if total := count(&v.now().stats); total > 0 {
			list = append(list, item{name: path, rate: v.rate(short, count), total: total, route: &route, bad: v.rate(short, errors) > 0})
		}
	}
	return list
}

// loading returns the fills that have not ended.
func (v *view) loading() (list []item) {
	for _, l := range v.now().stats.Loading {
		list = append(list, item{name: l.Key, load: &l, bad: l.AgeMS > slowFillMS})
	}
	return list
}

// members returns the proxies of the fleet that are alive, and the proxies that are gone.
func (v *view) members() (list []item) {
	if f := v.now().stats.Fleet; f != nil {
		for _, m := range f.Members {
			list = append(list, item{name: m.Name, member: &m, bad: m.Behind != nil})
		}
		for _, m := range f.Gone {
			list = append(list, item{name: m.Name, gone: &m, bad: true})
		}
	}
	return list
}

// slowFillMS is the age of a fill from which on it is red.
const slowFillMS = 1000
