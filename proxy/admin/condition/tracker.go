// Package condition derives the state of the service from its figures: first the present
// effects on visitors, then the effects to expect. Each condition names its cause, its
// effect on visitors, and the remedy.
package condition

import (
	"slices"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

const (
	// window is the time whose answers are judged.
	window = time.Minute
	// apart is the least time between two counts in the window.
	apart = time.Second
	// lasts is the time for which a condition must be absent until its next appearance
	// counts as another condition.
	lasts = time.Minute
)

// Tracker derives conditions from figures that are observed every second or so. It is
// safe for concurrent use.
type Tracker struct {
	mu      sync.Mutex
	past    []moment // of the window, the oldest first
	known   map[string]*spell
	current []api.Condition
	// quiet is the end of the last maintenance: earlier errors are expected and do not
	// count.
	quiet  time.Time
	outage outage
}

// outage is the last outage of the database: its error, and when it was last seen.
type outage struct {
	err  error
	seen time.Time
}

// moment holds the counts of one moment.
type moment struct {
	at time.Time
	Counts
}

// spell is the time for which a condition has held.
type spell struct{ since, seen time.Time }

// NewTracker returns a Tracker.
func NewTracker() *Tracker { return &Tracker{known: map[string]*spell{}} }

// Observe derives the conditions of a moment, the gravest first. There is always at least
// one.
func (t *Tracker) Observe(f *Figures) []api.Condition {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remember(f)
	v := view{Figures: f, first: &t.past[0], outage: t.outage}
	t.current = nil
	for _, r := range rules {
		if c := r.of(&v); c != nil {
			c.Code, c.Level = r.code, r.level
			if c.Since == nil {
				c.Since = t.since(r.code, f.At)
			}
			t.current = append(t.current, *c)
		}
	}
	if len(t.current) == 0 {
		t.current = append(t.current, well(&v))
	}
	slices.SortStableFunc(t.current, func(a, b api.Condition) int { return grade[a.Level] - grade[b.Level] })
	return slices.Clone(t.current)
}

var grade = map[string]int{api.LevelBad: 0, api.LevelWarn: 1, api.LevelGood: 2}

// remember adds the counts of a moment to the window.
func (t *Tracker) remember(f *Figures) {
	if f.Maintenance != nil {
		t.quiet = f.At
	}
	if !f.Database.DownSince.IsZero() {
		t.outage = outage{f.Database.Error, f.At}
	}
	old := slices.IndexFunc(t.past, func(m moment) bool { return f.At.Sub(m.at) <= window && !m.at.Before(t.quiet) })
	if old < 0 {
		old = len(t.past)
	}
	t.past = append(t.past[:0], t.past[old:]...)
	if n := len(t.past); n < 2 || f.At.Sub(t.past[n-2].at) >= apart {
		t.past = append(t.past, moment{f.At, f.Counts})
	} else {
		t.past[n-1] = moment{f.At, f.Counts}
	}
}

// since returns the time from which a condition has held.
func (t *Tracker) since(code string, now time.Time) *time.Time {
	s := t.known[code]
	if s == nil || now.Sub(s.seen) > lasts {
		s = &spell{since: now}
		t.known[code] = s
	}
	s.seen = now
	since := s.since
	return &since
}

// view is the figures of a moment with the counts at the beginning of the window.
type view struct {
	*Figures
	first  *moment
	outage outage
}

// answers returns the number of answers in the window, and of errors among them.
func (v *view) answers() (all, errors int64) {
	for class, n := range v.Counts.Answers {
		all += n - v.first.Answers[class]
	}
	return all, v.Counts.Answers[4] - v.first.Answers[4]
}

// slow returns the number of requests of the window that took a second or longer, and of
// all requests.
func (v *view) slow() (slow, all int64) {
	spread := v.Counts.Latency.Since(&v.first.Latency)
	return spread.Over(time.Second), spread.Count()
}

// busy reports whether some is at least five, and more than 5 % of all.
func busy(some, all int64) bool { return some >= 5 && some*20 > all }

// oldest returns the age of the oldest load that a request waits for.
func (v *view) oldest() time.Duration {
	for _, l := range v.Requests.Loads {
		if l.Waiting > 0 {
			return v.At.Sub(l.Queued)
		}
	}
	return 0
}
