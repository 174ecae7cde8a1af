package condition

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/store"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// healthy returns the figures of a service that works, second seconds after noon.
func healthy(second int) *Figures {
	f := &Figures{At: noon.Add(time.Duration(second) * time.Second)}
	f.Data.Published, f.Data.HeldFor = true, 10*time.Minute
	f.Memory = Memory{Used: 100 << 20, Limit: 150 << 20, Setting: "LIMIT"}
	f.Database.Pool = store.Stats{Limit: 8}
	f.Counts.Answers[1] = int64(second) * 10
	f.Counts.Latency[0] = int64(second) * 10
	return f
}

// waits adds loads of a table that requests wait for.
func (f *Figures) waits(n int, table string, age time.Duration, lane cache.Lane) {
	f.Requests.Waiting += int64(n)
	for i := range n {
		begun := f.At.Add(-age)
		f.Requests.Loads = append(f.Requests.Loads, cache.Load{
			Key: fmt.Sprintf("/%s/?limit=%d", table, i), Group: table, Lane: lane, Queued: begun, Began: begun, Waiting: 1,
		})
	}
}

func (f *Figures) errors(n int) { f.Counts.Answers[4] += int64(n) }

func (f *Figures) down(err error) {
	f.Database.DownSince, f.Database.Error = f.At.Add(-time.Minute), err
}

// TestConditions holds the headline of each kind of trouble, the words of its cause and
// remedy, and that nothing else is reported where that would mislead.
func TestConditions(t *testing.T) {
	setup := fmt.Errorf("%w: access denied", store.ErrSetup)
	for _, tt := range []struct {
		name          string
		change        func(f *Figures)
		code, level   string
		cause, remedy string // parts
	}{
		{"well", func(f *Figures) {}, "well", "good", "", ""},
		{"warming", func(f *Figures) { f.Data.Warming = true }, "well", "good", "New data was found", ""},
		{"stale for a moment", func(f *Figures) { f.Data.Stale = 3 }, "well", "good", "refreshed when they are requested", ""},
		{"nine wait", func(f *Figures) { f.waits(9, "teams", 3*time.Second, cache.Quick) }, "well", "good", "", ""},
		{"ten wait for a moment", func(f *Figures) { f.waits(10, "teams", 300*time.Millisecond, cache.Quick) }, "well", "good", "", ""},
		{"four errors", func(f *Figures) { f.errors(4) }, "well", "good", "", ""},
		{"few errors of many", func(f *Figures) { f.errors(30); f.Counts.Answers[1] += 1000 }, "well", "good", "", ""},

		{"database down, no visitor", func(f *Figures) { f.down(store.ErrUnavailable) }, "down", "bad", store.ErrUnavailable.Error(), "Start or repair the database"},
		{"database down, visitors", func(f *Figures) { f.down(store.ErrUnavailable); f.errors(400) }, "errors", "bad", "The database does not answer", "Start or repair the database"},
		{"password changed", func(f *Figures) { f.down(setup) }, "down", "bad", "access denied", "the account, its rights"},
		{"account locked", func(f *Figures) { f.down(setup) }, "down", "bad", "The database refuses the proxy", "the account, its rights"},
		{"locked", func(f *Figures) { f.waits(86, "teams", 9*time.Second, cache.Quick) }, "waiting", "bad", "86 loads of the table teams have not ended after up to 9.0 s, while the database answers polls", "SHOW FULL PROCESSLIST"},
		{"locked, and other tables behind it", func(f *Figures) {
			f.waits(3, "athletes", 12*time.Second, cache.Quick)
			f.waits(20, "teams", 9*time.Second, cache.Quick)
		}, "waiting", "bad", "20 loads of the table teams", "SHOW FULL PROCESSLIST"},
		{"locked, timeouts", func(f *Figures) {
			f.waits(3, "teams", 4*time.Second, cache.Heavy)
			f.errors(300)
			f.Database.LastError, f.Database.LastAt = store.ErrTimeout, f.At
		}, "errors", "bad", "the table is locked", "KILL"},
		{"one visitor waits long", func(f *Figures) { f.waits(1, "teams", 6*time.Second, cache.Quick) }, "hanging", "warn", "A request has waited for 6.0 s for /teams/?limit=0.", "SHOW FULL PROCESSLIST"},
		{"errors of loads", func(f *Figures) {
			f.errors(300)
			f.Database.LastError, f.Database.LastAt, f.Database.Route = errors.New("disk full"), f.At, "/teams/"
		}, "errors", "bad", "The last load that failed, of /teams/: disk full.", "no answer"},
		{"pool in use", func(f *Figures) { f.errors(300); f.Database.Pool.InUse = 8 }, "errors", "bad", "All 8 connections", "limit of connections"},
		{"errors without a trace", func(f *Figures) { f.errors(300) }, "errors", "bad", "300 of 900 answers of the last minute were errors, 0 requests wait now.", "slow fill"},
		{"slow", func(f *Figures) { f.Counts.Latency[metrics.Bounds] += 100 }, "slow", "bad", "100 of 700 answers of the last minute took longer than a second", "slow fill"},

		{"one client's searches", func(f *Figures) {
			f.waits(16, "athletes", 8*time.Second, cache.Costly)
			f.Requests.Busiest, f.Requests.Own = "192.0.2.7", 16
		}, "flood", "warn", "16 of the 16 waiting requests come from 192.0.2.7", "Require not ip 192.0.2.7)"},
		{"one client is refused", func(f *Figures) {
			f.Counts.Refused, f.Requests.Refused, f.Requests.Rejected, f.Requests.RejectedAt = 40, "192.0.2.7", 40, f.At
		}, "flood", "warn", "40 requests of the last minute got a 429, the last from 192.0.2.7", "block the address"},
		{"a client was refused", func(f *Figures) {
			f.Counts.Refused, f.Requests.Refused, f.Requests.Rejected, f.Requests.RejectedAt = 40, "192.0.2.7", 40, f.At.Add(-20*time.Second)
		}, "well", "good", "", ""},
		{"a flood makes others wait", func(f *Figures) {
			f.waits(60, "athletes", 8*time.Second, cache.Costly)
			f.Requests.Busiest, f.Requests.Own = "192.0.2.7", 40
		}, "waiting", "bad", "40 of the 60 waiting requests come from 192.0.2.7", "block the address"},

		{"half an import", func(f *Figures) { f.Data.Held, f.Data.HeldSince = "a scope has no rows", f.At }, "held", "warn", "a scope has no rows.", "published 10 min after"},
		{"rows of a table", func(f *Figures) { f.Data.Tables = []string{"teams: half of its rows are gone"} }, "table_held", "warn", "half of its rows", "repeat the import if it failed"},
		{"cache file", func(f *Figures) {
			f.Failed = []Failure{{Setting: "CACHE", Path: "/var/x", Since: f.At, Error: errors.New("no space left on device")}}
		}, "file", "warn", "CACHE /var/x: no space left on device.", "df -h"},
		{"memory near", func(f *Figures) { f.Memory.Used = 149 << 20 }, "memory", "warn", "149 MiB of the 150 MiB that LIMIT allows", "Raise LIMIT"},
		{"memory over", func(f *Figures) { f.Memory.Used = 151 << 20 }, "memory_over", "bad", "151 MiB", "Raise LIMIT"},
		{"no limit", func(f *Figures) { f.Memory.Used, f.Memory.Limit = 1<<40, 0 }, "well", "good", "", ""},
		{"old API in auto", func(f *Figures) {
			f.Sources.Default, f.Sources.Legacy = origin.FromAuto, origin.BreakerStats{Open: true, Reason: "20 of 20 loads failed"}
		}, "old_api", "warn", "20 of 20 loads failed", "old API runs"},
		{"old API not used", func(f *Figures) { f.Sources.Legacy = origin.BreakerStats{Open: true} }, "well", "good", "", ""},
		{"database left", func(f *Figures) {
			f.Sources.Default, f.Sources.Store = origin.FromAuto, origin.BreakerStats{Open: true, Reason: "slow"}
		}, "database_left", "warn", "slow", "closes by itself"},
		{"a purge waits", func(f *Figures) {
			since := f.At.Add(-11 * time.Second)
			f.Fronts = []api.Front{{Name: "good:80/"}, {Name: "cache:80/", PendingSince: &since, Error: "connection refused"}}
		}, "front", "warn", "waited for 11 s: cache:80/ (connection refused).", "accepts purges"},
		{"a purge is repeated", func(f *Figures) {
			since := f.At.Add(-9 * time.Second)
			f.Fronts = []api.Front{{Name: "cache:80/", PendingSince: &since}}
		}, "well", "good", "", ""},
		{"a member is behind", func(f *Figures) {
			f.Fleet.Members = []fleet.Member{{Info: fleet.Info{Name: "a"}}, {Info: fleet.Info{Name: "b"}, Behind: f.At.Add(-time.Minute)}}
		}, "behind", "warn", "60 s ago than b.", "a replica that lags"},
		{"members are gone", func(f *Figures) {
			f.Fleet.Gone = []fleet.Gone{{Info: fleet.Info{Name: "a"}, Heard: f.At.Add(-7 * time.Second)}, {Info: fleet.Info{Name: "b"}, Heard: f.At.Add(-time.Minute)}}
		}, "gone", "warn", "stopped in order: a, 7.0 s ago; b, 60 s ago.", "its way to the Redis"},
		{"a member publishes later", func(f *Figures) {
			f.Fleet.Members = []fleet.Member{{Info: fleet.Info{Name: "b"}, Behind: f.At.Add(-2 * time.Second)}}
		}, "well", "good", "", ""},
		{"members of one name", func(f *Figures) {
			f.Fleet.Members = []fleet.Member{{Info: fleet.Info{Name: "a"}, Double: f.At.Add(-2 * time.Minute)}, {Info: fleet.Info{Name: "a (2)"}, Double: f.At.Add(-61 * time.Second)}, {Info: fleet.Info{Name: "b"}}}
		}, "double", "warn", "For 2 min several proxies have run under one name: a, a (2).", "a host name of its own"},
		{"a hand-over", func(f *Figures) {
			f.Fleet.Members = []fleet.Member{{Info: fleet.Info{Name: "a"}, Double: f.At.Add(-59 * time.Second)}, {Info: fleet.Info{Name: "a (2)"}, Double: f.At.Add(-59 * time.Second)}}
		}, "well", "good", "", ""},
		{"level away", func(f *Figures) {
			f.Fleet = Fleet{Away: true, Since: f.At.Add(-time.Minute), Reason: "connection refused"}
		},
			"shared", "warn", "does not answer: connection refused.", "Start or repair the Redis"},
		{"level away for a moment", func(f *Figures) { f.Fleet = Fleet{Away: true, Since: f.At.Add(-time.Second), Reason: "slow"} }, "well", "good", "", ""},
		{"level full", func(f *Figures) { f.Counts.Full = 3 }, "shared_full", "warn", "refused 3 answers", "volatile-lru"},
		{"log lines", func(f *Figures) { f.Counts.LostLines = 12 }, "log", "warn", "12 lines", "reads the log"},
		{"panics", func(f *Figures) { f.Counts.Panics = 1 }, "panics", "warn", "1 panic since", "stack"},
		{"connections", func(f *Figures) { f.Counts.Connections = 7 }, "connections", "bad", "7 connections", "ss -tn"},
		{"nothing published", func(f *Figures) { f.Data.Published = false }, "unpublished", "warn", "first time", "Warm set"},
		{"no publish", func(f *Figures) { f.Data.Problem = "2 of 34 answers can't be loaded" }, "publish", "warn", "2 of 34 answers", "tries again"},
		{"no publish of held data", func(f *Figures) {
			f.Data.Problem, f.Data.Held, f.Data.HeldSince = "held back", "a scope has no rows", f.At
		}, "held", "warn", "a scope", "--accept"},
		{"maintenance", func(f *Figures) {
			f.Maintenance = &maintenance.Period{Since: noon, Message: "New season"}
			f.errors(500)
			f.Data.Published = false
		}, "maintenance", "warn", "No end is announced", "maintenance off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tracker := NewTracker()
			for s := range 60 {
				tracker.Observe(healthy(s))
			}
			f := healthy(60)
			tt.change(f)
			all := tracker.Observe(f)
			c := all[0]
			if c.Code != tt.code || c.Level != tt.level || !strings.Contains(c.Cause, tt.cause) || !strings.Contains(c.Remedy, tt.remedy) {
				t.Errorf("%+v", c)
			}
			if (c.Since == nil) != (c.Level == api.LevelGood) || c.Title == "" || c.Visitors == "" || c.Level != api.LevelGood && (c.Remedy == "" || c.Cause == "") {
				t.Errorf("incomplete: %+v", c)
			}
			for i := 1; i < len(all); i++ {
				if grade[all[i].Level] < grade[all[i-1].Level] {
					t.Errorf("%s after %s", all[i].Code, all[i-1].Code)
				}
			}
			for _, c := range all {
				for _, text := range []string{c.Cause, c.Visitors, c.Remedy} {
					if strings.Contains(text, "  ") || strings.Contains(text, "%!") || strings.HasPrefix(text, " ") || strings.Contains(text, "..") {
						t.Errorf("%s: %q", c.Code, text)
					}
				}
			}
		})
	}
}

// TestRecovery holds that errors of an outage that has ended are not blamed on an older
// failure of a load, and that a newer failure is.
func TestRecovery(t *testing.T) {
	tracker := NewTracker()
	at := func(second int, lastError int) api.Condition {
		f := healthy(second)
		f.errors(50 * min(second, 20))
		f.Database.LastError, f.Database.LastAt, f.Database.Route = errors.New("too slow"), noon.Add(time.Duration(lastError)*time.Second), "/teams/"
		if second >= 10 && second <= 20 {
			f.down(fmt.Errorf("%w: refused", store.ErrUnavailable))
		}
		return tracker.Observe(f)[0]
	}
	at(0, 0)
	if c := at(9, 5); c.Code != "errors" || !strings.Contains(c.Cause, "of /teams/: too slow.") {
		t.Errorf("before: %+v", c)
	}
	at(10, 5)
	if c := at(20, 5); c.Code != "errors" || !strings.Contains(c.Cause, "The database does not answer: ") {
		t.Errorf("during: %+v", c)
	}
	if c := at(32, 5); c.Code != "errors" || !strings.Contains(c.Cause, "did not answer until 12 s ago: ") || !strings.Contains(c.Cause, "refused. It answers again.") ||
		c.Visitors != "All pages load again." || !strings.Contains(c.Remedy, "recovered") {
		t.Errorf("after: %+v", c)
	}
	if c := at(33, 33); c.Code != "errors" || !strings.Contains(c.Cause, "of /teams/: too slow.") || !strings.Contains(c.Remedy, "no answer") {
		t.Errorf("with a newer failure: %+v", c)
	}
	if c := at(99, 5); c.Code != "well" {
		t.Errorf("a minute later: %+v", c)
	}
}

// TestDownWithAFallback holds that visitors are promised the old API only while it works.
func TestDownWithAFallback(t *testing.T) {
	for _, open := range []bool{false, true} {
		f := healthy(60)
		f.down(store.ErrUnavailable)
		f.Sources.Default, f.Sources.Legacy.Open = origin.FromAuto, open
		c := NewTracker().Observe(f)[0]
		if c.Code != "down" || strings.Contains(c.Visitors, "old API") == open {
			t.Errorf("breaker open %t: %+v", open, c)
		}
	}
}

// TestSince holds that a condition keeps its begin while it comes and goes, and gets a new
// begin after a minute without it.
func TestSince(t *testing.T) {
	tracker := NewTracker()
	see := func(second int, locked bool) *time.Time {
		f := healthy(second)
		if locked {
			f.waits(20, "teams", 5*time.Second, cache.Quick)
		}
		for _, c := range tracker.Observe(f) {
			if c.Code == "waiting" {
				return c.Since
			}
		}
		return nil
	}
	at := func(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }
	see(0, false)
	for _, step := range []struct{ second, since int }{{10, 10}, {11, 10}, {40, 10}, {90, 10}, {200, 200}, {259, 200}} {
		if since := see(step.second, true); since == nil || !since.Equal(at(step.since)) {
			t.Errorf("second %d: since %v", step.second, since)
		}
		see(step.second+1, false)
	}
	f := healthy(300)
	f.down(store.ErrUnavailable)
	if c := tracker.Observe(f)[0]; !c.Since.Equal(f.Database.DownSince) {
		t.Errorf("an outage has its own begin: %v", c.Since)
	}
}

// TestWindow holds that answers of more than a minute ago and errors of a maintenance do
// not count, however often the figures are observed.
func TestWindow(t *testing.T) {
	tracker := NewTracker()
	code := func(f *Figures) string { return tracker.Observe(f)[0].Code }
	code(healthy(0))
	bad := func(second int) *Figures {
		f := healthy(second)
		f.errors(300)
		return f
	}
	for range 1000 {
		if got := code(bad(1)); got != "errors" {
			t.Fatal(got)
		}
	}
	if len(tracker.past) > 3 {
		t.Errorf("%d moments of one second", len(tracker.past))
	}
	for s := 2; s <= 60; s++ {
		if got := code(bad(s)); got != "errors" {
			t.Fatalf("second %d: %s", s, got)
		}
	}
	for s := 61; s <= 65; s++ {
		code(bad(s))
	}
	if got := code(bad(66)); got != "well" {
		t.Error(got)
	}
	if len(tracker.past) > 62 {
		t.Errorf("%d moments", len(tracker.past))
	}
	for s := 67; s < 70; s++ {
		f := bad(s)
		f.errors(1000)
		f.Maintenance = &maintenance.Period{Since: noon}
		if got := code(f); got != "maintenance" {
			t.Error(got)
		}
	}
	f := bad(71)
	f.errors(1000)
	if got := code(f); got != "well" {
		t.Errorf("after the maintenance: %s", got)
	}
}

// TestOwn: a proxy reports its own trouble to the other members, and not that another member
// is gone or behind.
func TestOwn(t *testing.T) {
	others := func(f *Figures) {
		f.Fleet.Members = []fleet.Member{{Info: fleet.Info{Name: "b"}, Behind: f.At.Add(-time.Minute), Double: f.At.Add(-time.Hour)}}
		f.Fleet.Gone = []fleet.Gone{{Info: fleet.Info{Name: "c"}, Heard: f.At.Add(-time.Minute)}}
	}
	for want, change := range map[string]func(*Figures){
		"well":   others,
		"down":   func(f *Figures) { others(f); f.down(errors.New("connection refused")) },
		"panics": func(f *Figures) { others(f); f.Counts.Panics = 1 },
		"memory": func(f *Figures) { f.Memory.Used = f.Memory.Limit },
	} {
		f := healthy(60)
		change(f)
		if all := NewTracker().Observe(f); Own(all) != want {
			t.Errorf("%s, want %s: %+v", Own(all), want, all)
		}
	}
	if got := Own(nil); got != "well" {
		t.Errorf("without conditions: %q", got)
	}
}
