package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/plural"
)

// The limits of the review.
const (
	leastHitRatio = 0.9 // as the figures to watch in proxy/admin/README.md
	mostSlowdown  = 1.5 // of the p95, against the period before
	quickMS       = 50  // a p95 up to this is well, even if it was shorter before
	nearLimit     = 0.95
	mostRestarts  = 2
)

// judge adds the points of the review.
func (r *Report) judge(maxErrors float64) {
	r.Points = []Point{}
	point := func(name string, well bool, text string, args ...any) {
		if !well {
			r.Attention++
		}
		r.Points = append(r.Points, Point{name, well, fmt.Sprintf(text, args...)})
	}
	covered := time.Duration(r.CoveredSeconds * float64(time.Second)).Round(time.Second)
	whole := r.To.Sub(r.From)
	point("history", covered >= whole*9/10, "%v of %v are covered%s", covered, whole.Round(time.Second), unless(covered >= whole*9/10, ": the proxy did not run, or has no HISTORY_FILE"))
	if w := r.Now; w != nil {
		share := errorShare(w)
		point("errors", share <= maxErrors/100, "%d of %d answers, %.2f %%; the limit is %g %%%s", w.Errors, w.Answers, 100*share, maxErrors, r.was(func(b *api.Window) string { return fmt.Sprintf("%.2f %%", 100*errorShare(b)) }))
		r.judgeRequests(w, point)
	}
	p := r.Peaks
	point("connections", p.PoolLimit == 0 || p.PoolInUse < p.PoolLimit, "at most %d of %d to the database were in use; at most %s waited", p.PoolInUse, p.PoolLimit, plural.Of(p.Waiting, "request"))
	point("memory", p.MemoryBudget == 0 || float64(p.Memory) < nearLimit*float64(p.MemoryBudget), "at most %s of %s; cache at most %s of %s", console.Bytes(p.Memory), console.Bytes(p.MemoryBudget), console.Bytes(p.CacheBytes), console.Bytes(p.CacheBudget))
	point("outages", len(r.Outages) == 0, "%d of the database, %v in all", len(r.Outages), r.down().Round(time.Second))
	starts := r.count("start")
	point("restarts", starts <= mostRestarts, "%s, %s", plural.Of(starts, "start"), plural.Of(r.count("hand_over"), "hand-over"))
	point("alarms", r.count("alarm", "held") == 0, "%s visitors had errors or waited; new data was held back %s", plural.Of(r.count("alarm"), "time"), plural.Of(r.count("held"), "time"))
	point("imports", true, "%s published, %s, %s of source", plural.Of(r.count("publish"), "generation"), plural.Of(r.count("purge"), "purge"), plural.Of(r.count("source"), "change"))
	for _, c := range r.State {
		if c.Level != api.LevelGood {
			point("now", false, "%s: %s %s", c.Title, c.Cause, c.Remedy)
		}
	}
}

// unless returns a text if a condition does not hold.
func unless(holds bool, text string) string {
	if holds {
		return ""
	}
	return text
}

// was compares with the period before.
func (r *Report) was(text func(*api.Window) string) string {
	if r.Before == nil {
		return ""
	}
	return " (before: " + text(r.Before) + ")"
}

func errorShare(w *api.Window) float64 { return float64(w.Errors) / float64(max(1, w.Answers)) }

// down returns the length of all outages within the period.
func (r *Report) down() (sum time.Duration) {
	for _, o := range r.Outages {
		to := r.To
		if o.To != nil {
			to = *o.To
		}
		from := o.From
		if from.Before(r.From) {
			from = r.From
		}
		sum += to.Sub(from)
	}
	return sum
}

func sortSlow(all []Slow) {
	slices.SortFunc(all, func(a, b Slow) int { return cmp.Or(cmp.Compare(b.MS, a.MS), cmp.Compare(a.Target, b.Target)) })
}

// judgeRequests adds the points of the requests for the cache.
func (r *Report) judgeRequests(w *api.Window, point func(name string, well bool, text string, args ...any)) {
	if w.Requests == 0 {
		point("hit ratio", true, "no requests")
		point("latency", true, "no requests")
		return
	}
	point("hit ratio", w.HitRatio >= leastHitRatio, "%.1f %% of %s; at least %.0f %% is expected%s", 100*w.HitRatio, plural.Of(w.Requests, "request"), 100*leastHitRatio, r.was(func(b *api.Window) string { return fmt.Sprintf("%.1f %%", 100*b.HitRatio) }))
	slower := r.Before != nil && w.P95MS > quickMS && w.P95MS > mostSlowdown*r.Before.P95MS
	point("latency", !slower, "p50 %.2f ms, p95 %.2f ms, p99 %.2f ms%s", w.P50MS, w.P95MS, w.P99MS, r.was(func(b *api.Window) string {
		return fmt.Sprintf("%.2f, %.2f and %.2f ms", b.P50MS, b.P95MS, b.P99MS)
	}))
}
