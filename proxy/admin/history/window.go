package history

import (
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
)

// recently is the length of the window that ends now, and around the length of the
// window of the day before.
const recently, around = 5 * time.Minute, time.Hour

// Recent sums up the last five minutes, and the hour around the same time of the day
// before.
func (h *History) Recent(now time.Time) (r api.Recent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.Now = sumUp(h.newest(0), now.Add(-recently), now)
	yesterday := now.AddDate(0, 0, -1)
	w := sumUp(h.newest(len(steps)-1), yesterday.Add(-around/2), yesterday.Add(around/2))
	if w != nil && w.Seconds >= around.Seconds()/2 {
		r.Yesterday = w
	}
	return r
}

// Window sums up the samples that ended after from and up to to; nil without any.
func (h *History) Window(from, to time.Time) *api.Window {
	h.mu.Lock()
	defer h.mu.Unlock()
	return sumUp(h.merged(len(steps)-1, from.UnixMilli()), from, to)
}

// sumUp adds up the samples that ended after from and up to to; nil without any.
func sumUp(points []point, from, to time.Time) *api.Window {
	w := api.Window{}
	var spread metrics.Spread
	outcomes := map[string]int64{}
	fillMS := 0.0
	for i := range points {
		p := &points[i]
		if p.At <= from.UnixMilli() || p.At > to.UnixMilli() {
			continue
		}
		if w.Seconds == 0 {
			w.From = p.At - int64(p.Seconds*1000)
		}
		w.Seconds += p.Seconds
		for o, n := range p.All.Outcomes {
			outcomes[cache.Outcome(o).String()] += int64(n)
			w.Requests += int64(n)
		}
		for class, n := range p.Answers {
			w.Answers += int64(n)
			if class == api.Classes-1 {
				w.Errors += int64(n)
			}
		}
		for bucket, n := range p.Spread {
			spread[bucket] += int64(n)
		}
		w.Fills += int64(p.All.Fills)
		fillMS += float64(p.All.FillMS) * float64(p.All.Fills)
	}
	if w.Seconds == 0 {
		return nil
	}
	w.HitRatio = api.HitRatio(outcomes)
	w.P50MS, w.P95MS, w.P99MS = spread.Percentile(0.5), spread.Percentile(0.95), spread.Percentile(0.99)
	w.FillMS = fillMS / float64(max(1, w.Fills))
	return &w
}
