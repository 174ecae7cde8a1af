package report

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// Source returns the figures of a proxy: an *adminclient.Client.
type Source interface {
	Stats(context.Context) (api.Stats, error)
	// Period returns the samples after a moment, and the sum of the time between from
	// and to.
	Period(ctx context.Context, after, from, to time.Time) (api.History, error)
}

// gather reads the figures of a period that ends now, and judges them.
func gather(ctx context.Context, c Source, at string, f Options, now time.Time) (*Report, error) {
	r := &Report{URL: at, Period: Period{From: now.Add(-f.Since), To: now}, Outcomes: map[string]int64{}, Hours: []api.Window{}, Lists: Lists{Outages: []Outage{}, Events: []api.Event{}, Slowest: []Slow{}}}
	stats, err := c.Stats(ctx)
	if err != nil {
		return nil, err
	}
	past, err := c.Period(ctx, r.From, r.From, r.To)
	if err != nil {
		return nil, err
	}
	before, err := c.Period(ctx, now, r.From.Add(-f.Since), r.From)
	if err != nil {
		return nil, err
	}
	if w := before.Period; w != nil && w.Seconds >= f.Since.Seconds()/2 {
		r.Before = w
	}
	r.Version, r.State, r.Now = stats.Version, stats.Conditions, past.Period
	if r.Now != nil {
		r.CoveredSeconds = min(r.Now.Seconds, f.Since.Seconds())
	}
	r.addSamples(&past, &stats)
	if err := r.addHours(ctx, c); err != nil {
		return nil, err
	}
	r.addEvents(stats.Events)
	r.addSlowest(stats.Slowest)
	r.judge(f.MaxErrors)
	return r, nil
}

// addSamples adds the outcomes and the peaks.
func (r *Report) addSamples(past *api.History, stats *api.Stats) {
	r.Peaks = Peaks{PoolLimit: stats.Pool.Limit, MemoryBudget: stats.Memory.Budget, CacheBudget: stats.Cache.Budget}
	for i := range past.Samples {
		s, p := &past.Samples[i], &r.Peaks
		for o, n := range s.All.Outcomes {
			if o < len(past.Outcomes) {
				r.Outcomes[past.Outcomes[o]] += int64(n)
			}
		}
		p.PoolInUse, p.Waiting = max(p.PoolInUse, s.PoolInUse), max(p.Waiting, s.Waiting)
		p.Memory, p.CacheBytes, p.Stale = max(p.Memory, s.Memory), max(p.CacheBytes, s.CacheBytes), max(p.Stale, s.Stale)
	}
}

// addHours adds the hours of the period, the first and the last as far as they belong to
// it. An hour without a sample is left out.
func (r *Report) addHours(ctx context.Context, c Source) error {
	for from := r.From; from.Before(r.To); {
		next := from.Truncate(time.Hour).Add(time.Hour)
		if next.After(r.To) {
			next = r.To
		}
		hour, err := c.Period(ctx, r.To, from, next)
		if err != nil {
			return err
		}
		if w := hour.Period; w != nil {
			w.From = from.UnixMilli()
			r.Hours = append(r.Hours, *w)
		}
		from = next
	}
	return nil
}

// addEvents adds the events of the period, and the outages within it. An outage that began
// before the period has its own start; an outage whose first event the proxy no longer
// has is missing.
func (r *Report) addEvents(events []api.Event) {
	var open *Outage
	end := func(at time.Time, over bool) {
		if open == nil {
			return
		}
		if over {
			open.To = &at
		}
		open.Seconds = at.Sub(open.From).Seconds()
		if at.After(r.From) {
			r.Outages = append(r.Outages, *open)
		}
		open = nil
	}
	for _, e := range events {
		switch e.Kind {
		case "outage":
			end(e.At, true)
			open = &Outage{From: e.At, Cause: e.Text}
		case "back", "start": // a new process has an outage of its own
			end(e.At, true)
		}
		if e.At.After(r.From) && !e.At.After(r.To) {
			r.Events = append(r.Events, e)
		}
	}
	end(r.To, false)
}

// mostSlow is the maximum number of slow requests in a report.
const mostSlow = 20

// addSlowest adds the slowest requests of the period, with the time of each phase.
func (r *Report) addSlowest(requests []api.Request) {
	for _, q := range requests {
		if q.At.Before(r.From) {
			continue
		}
		detail := []string{fmt.Sprintf("%s, status %d", cmp.Or(q.Outcome, "no outcome"), q.Status)}
		for _, phase := range q.Phases.All() {
			detail = append(detail, fmt.Sprintf("%s %.1f ms", phase.Name, phase.MS))
		}
		if q.Client != "" {
			detail = append(detail, "client "+q.Client)
		}
		if q.ID != "" {
			detail = append(detail, "request "+q.ID)
		}
		r.Slowest = append(r.Slowest, Slow{At: q.At, MS: q.TookMS, Target: q.Method + " " + q.Target, Detail: strings.Join(detail, ", ")})
	}
	sortSlow(r.Slowest)
	r.Slowest = r.Slowest[:min(len(r.Slowest), mostSlow)]
}

// count returns the number of events of some kinds.
func (r *Report) count(kinds ...string) (n int) {
	for _, e := range r.Events {
		if strings.Contains(" "+strings.Join(kinds, " ")+" ", " "+e.Kind+" ") {
			n++
		}
	}
	return n
}
