package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/condition"
	"github.com/lewistv/xcri-proxy/proxy/admin/history"
	"github.com/lewistv/xcri-proxy/proxy/admin/process"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// glanceEvery is the interval at which conditions are derived, and at which figures are
// read whose peak a sample would miss.
const glanceEvery = time.Second

// record holds the history, the conditions, and the states that the latest events have
// reported.
type record struct {
	history *history.History
	tracker *condition.Tracker

	mu     sync.Mutex
	alarm  string                       // title of the condition, by the latest event of an alarm; empty after its end
	held   string                       // why data is held back, by the latest event
	failed map[string]condition.Failure // by the name of the file's setting
}

func newRecord(routes []*route.Route) record {
	var paths []string
	for _, r := range routes {
		paths = append(paths, r.Path())
	}
	return record{history: history.New(paths), tracker: condition.NewTracker(), failed: map[string]condition.Failure{}}
}

// Record returns the history.
func (a *Admin) Record() *history.History { return a.history }

// SaveHistory writes the history and the events to the file at path.
func (a *Admin) SaveHistory(path string) error { return a.history.Save(path, a.events()) }

// LoadHistory adds the history and the events of an earlier run. It must precede Run.
func (a *Admin) LoadHistory(path string) error {
	earlier, err := a.history.Load(path, time.Now())
	if err != nil {
		return err
	}
	var list []events.Event
	for _, e := range earlier {
		list = append(list, events.Event{At: e.At, Kind: events.Kind(e.Kind), Text: e.Text})
	}
	a.opts.Events.Restore(list)
	return nil
}

// noteEvents adds an event when visitors begin to be affected, or no longer are, and when
// new data is held back.
func (a *Admin) noteEvents(now []api.Condition) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch worst := now[0]; {
	case worst.Level == api.LevelBad && worst.Title != a.alarm:
		a.opts.Events.Add(events.Alarm, worst.Title+": "+worst.Cause)
		a.alarm = worst.Title
	case worst.Level != api.LevelBad && a.alarm != "":
		a.opts.Events.Add(events.AlarmEnd, "no longer: "+a.alarm)
		a.alarm = ""
	}
	reasons := a.opts.Generations.HeldTables()
	if of := a.opts.Generations.Status().Held; of != "" {
		reasons = append([]string{of}, reasons...)
	}
	held := strings.Join(reasons, "; ")
	if held != "" && held != a.held {
		a.opts.Events.Add(events.Held, "new data held back: "+held)
	}
	a.held = held
}

// Run records the history until ctx ends. A Sample must come before.
func (a *Admin) Run(ctx context.Context) {
	tick := time.NewTicker(glanceEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			a.Glance(a.opts.Store.Stats().InUse)
			a.noteEvents(a.conditions(now))
			if n%int(history.SampleEvery/glanceEvery) == 0 {
				a.Sample(now)
			}
		}
	}
}

// Glance notes the number of connections to the database that are in use, and of requests
// that wait: the next sample has the highest numbers.
func (a *Admin) Glance(inUse int) {
	a.history.Glance(history.Gauges{PoolInUse: inUse, Waiting: a.opts.Cache.Stats().Waiting})
}

// Sample adds a sample to the history. The first call only reads the counters.
func (a *Admin) Sample(now time.Time) {
	cached := a.opts.Cache.Stats()
	g := history.Gauges{
		RSS: process.Resident(), Memory: a.memoryUsed(), Stale: cached.Stale,
		Waiting: cached.Waiting, PoolInUse: a.opts.Store.Stats().InUse,
	}
	for _, shelf := range cached.Shelves {
		g.CacheBytes += shelf.Bytes
	}
	r := history.Reading{Answers: a.opts.Metrics.Statuses.Classes()}
	for _, one := range a.opts.Routes.Routes() {
		r.Routes = append(r.Routes, a.opts.Metrics.Route(one.ID).Read())
	}
	a.history.Sample(now, r, g)
}

// memoryUsed returns the memory that the limit counts: the pages of the process, and the
// memory files, which are not among them.
func (a *Admin) memoryUsed() int64 { return process.Resident() + a.opts.Memory.Bytes() }

// Wrote notes whether a file could be written. setting is the name of its setting. It
// returns true for the first failure in a row.
func (a *Admin) Wrote(setting, path string, err error) (first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before, failed := a.failed[setting]
	switch {
	case err == nil:
		delete(a.failed, setting)
	case failed:
		before.Error = err
		a.failed[setting] = before
	default:
		a.failed[setting] = condition.Failure{Setting: setting, Path: path, Since: time.Now(), Error: err}
	}
	return err != nil && !failed
}

// serveHistory answers with the samples of a range, or with the samples after the moment in
// the parameter after. With the parameter route, the figures of all other routes are left
// out.
func (a *Admin) serveHistory(ctx *fasthttp.RequestCtx) {
	args := ctx.QueryArgs()
	after, _ := strconv.ParseInt(string(args.Peek("after")), 10, 64)
	past := a.history.Between(cmp.Or(string(args.Peek("range")), history.Ranges()[0]), after)
	if past == nil {
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, fmt.Sprintf("range: want one of %v", history.Ranges()))
		return
	}
	now := time.Now()
	past.Now, past.Recent = now.UnixMilli(), a.history.Recent(now)
	if from, err := strconv.ParseInt(string(args.Peek("from")), 10, 64); err == nil {
		to, _ := strconv.ParseInt(string(args.Peek("to")), 10, 64) // zero means no sample
		past.Period = a.history.Window(time.UnixMilli(from), time.UnixMilli(to))
	}
	if args.Has("route") {
		for i := range past.Samples {
			s := &past.Samples[i]
			at := slices.IndexFunc(s.Routes, func(f api.Flow) bool { return f.Route == string(args.Peek("route")) })
			s.Routes = append([]api.Flow{}, s.Routes[max(0, at):at+1]...)
		}
	}
	body, err := json.Marshal(past)
	if err != nil {
		panic(err) // plain numbers and strings
	}
	reply.Send(ctx, fasthttp.StatusOK, body)
}
