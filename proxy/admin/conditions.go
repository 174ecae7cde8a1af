package admin

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/condition"
)

// conditions derives the conditions of this moment.
func (a *Admin) conditions(now time.Time) []api.Condition {
	cached := a.opts.Cache.Stats()
	f := condition.Figures{
		At: now, Sources: a.opts.Origins.Stats(), Maintenance: a.opts.Maintenance.Period(),
		Memory: condition.Memory{Used: a.memoryUsed(), Limit: a.opts.MemoryLimit.Bytes, Setting: a.opts.MemoryLimit.Setting},
		Counts: condition.Counts{
			Answers: a.opts.Metrics.Statuses.Classes(), Connections: a.opts.Connections().Refused,
			LostLines: a.opts.LostLines(), Panics: a.opts.Metrics.Panics.Load() + cached.Panics,
		},
	}
	for _, r := range a.opts.Routes.Routes() {
		counted := a.opts.Metrics.Route(r.ID).Read()
		f.Counts.Latency.Add(&counted.Latency)
	}
	f.Database.Pool = a.opts.Store.Stats()
	f.Database.DownSince, f.Database.Error = a.opts.Outage.Since()
	if last := a.opts.Metrics.LastFailure.Load(); last != nil {
		f.Database.LastError, f.Database.LastAt, f.Database.Route = last.Err, last.At, last.Route
	}
	f.Requests.Waiting, f.Data.Stale = cached.Waiting, cached.Stale
	f.Fronts = a.opts.Fronts.Report()
	a.addFleet(&f)
	a.addRequests(&f)
	a.addData(&f)
	a.mu.Lock()
	for _, setting := range slices.Sorted(maps.Keys(a.failed)) {
		f.Failed = append(f.Failed, a.failed[setting])
	}
	a.mu.Unlock()
	return a.tracker.Observe(&f)
}

// addFleet calls Alive instead of Members, which may call conditions to describe this
// proxy.
func (a *Admin) addFleet(f *condition.Figures) {
	if a.opts.Fleet == nil {
		return
	}
	s := a.opts.Fleet.Stats()
	f.Fleet.Away, f.Fleet.Since, f.Fleet.Reason, f.Counts.Full = !s.Up, s.Since, s.Reason, s.Full
	f.Fleet.Members, f.Fleet.Gone = a.opts.Fleet.Alive(), a.opts.Fleet.Gone()
}

func (a *Admin) addRequests(f *condition.Figures) {
	f.Requests.Loads = a.opts.Cache.Loading()
	for _, n := range a.opts.Shares.Refused() {
		f.Counts.Refused += n
	}
	if of, n := a.opts.Shares.Busiest(); n > 0 {
		f.Requests.Busiest, f.Requests.Own = clientName(of.String()), n
	}
	if last := a.opts.Shares.Last(); last.Count > 0 {
		f.Requests.Refused, f.Requests.Rejected, f.Requests.RejectedAt = clientName(last.Client.String()), last.Count, last.At
	}
}

// clientName returns the address of a client: a network of a single address loses its /32.
func clientName(prefix string) string { return strings.TrimSuffix(prefix, "/32") }

func (a *Admin) addData(f *condition.Figures) {
	status := a.opts.Generations.Status()
	g, _ := a.opts.Generations.Published()
	d := &f.Data
	d.Published, d.Warming, d.Held, d.HeldFor = g != nil, status.Warming, status.Held, a.opts.Generations.HeldFor()
	if status.HeldSince != nil {
		d.HeldSince = *status.HeldSince
	}
	d.Tables = a.opts.Generations.HeldTables()
	d.Problem = status.LookError
}
