package condition

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/plural"
	"github.com/lewistv/xcri-proxy/store"
)

const (
	// longLoad is the time of a load at which its table may be locked.
	longLoad = 2 * time.Second
	// lastError is the time for which the error of a load may explain errors of visitors.
	lastError = window
)

// diagnose adds the most likely reason to the cause of a condition, and its remedy.
func (v *view) diagnose(c *api.Condition) {
	table, n, longest := v.longest()
	switch {
	case !v.Database.DownSince.IsZero():
		v.blameOutage(c)
	case v.floods():
		v.blameFlood(c)
	case v.recentError() && errors.Is(v.Database.LastError, store.ErrSetup):
		v.blameLastError(c)
	case n > 0:
		c.Cause += fmt.Sprintf(" %s of the table %s %s not ended after up to %s, while the database answers polls: the table is locked, or its statements are slow.",
			plural.Of(n, "load"), table, plural.Word(n, "has", "have"), span(longest))
		c.Remedy = "On the database, SHOW FULL PROCESSLIST shows the waiting statements, and which session holds the lock (an import, a backup, an ALTER TABLE). " +
			"Let it end, or end it with KILL and its ID. The answers follow by themselves."
	case v.recovers():
		c.Cause += fmt.Sprintf(" The database did not answer until %s ago: %v. It answers again.", span(v.At.Sub(v.outage.seen)), v.outage.err)
		c.Visitors = "All pages load again."
		c.Remedy = "The service has recovered. The errors leave this figure within a minute. The log of the database server says why it stopped."
	case v.recentError():
		v.blameLastError(c)
	case v.Database.Pool.Limit > 0 && v.Database.Pool.InUse >= v.Database.Pool.Limit:
		c.Cause += fmt.Sprintf(" All %d connections to the database are in use.", v.Database.Pool.Limit)
		c.Remedy = "On the database, SHOW FULL PROCESSLIST shows the long statements. If its statements are fast, raise the limit of connections."
	default:
		c.Remedy = "The lines “no answer” and “slow fill” of the log name the pages and the reasons."
	}
}

// longest returns the table with the most long loads that are no searches, their number,
// and the age of the oldest. The age counts from the beginning of the wait for a turn: the
// database ends a statement that waits for a lock, and another load gets its turn. Loads
// of other tables may wait for the same lock.
func (v *view) longest() (table string, n int, longest time.Duration) {
	long, oldest := map[string]int{}, map[string]time.Duration{}
	for _, l := range v.Requests.Loads {
		if age := v.At.Sub(l.Queued); age >= longLoad && l.Lane != cache.Costly && l.Group != "" {
			long[l.Group]++
			oldest[l.Group] = max(oldest[l.Group], age)
		}
	}
	for of, count := range long {
		if cmp.Or(cmp.Compare(count, n), cmp.Compare(table, of)) > 0 {
			table, n = of, count
		}
	}
	return table, n, oldest[table]
}

// floods reports whether most of the waiting requests are one client's.
func (v *view) floods() bool {
	return v.Requests.Own >= manyWait && int64(v.Requests.Own)*2 > v.Requests.Waiting
}

func (v *view) blameFlood(c *api.Condition) {
	r := v.Requests
	client := r.Refused
	if v.floods() {
		client = r.Busiest
		c.Cause = strings.TrimSpace(fmt.Sprintf("%s %d of the %d waiting requests come from %s.", c.Cause, r.Own, r.Waiting, client))
	}
	if n := v.Counts.Refused - v.first.Refused; n > 0 && r.Refused != "" {
		c.Cause = strings.TrimSpace(fmt.Sprintf("%s %s of the last minute got a 429, the last from %s.", c.Cause, plural.Of(int(n), "request"), r.Refused))
	}
	c.Remedy = "The table “Loading now” and the log show the requests of " + client + ". If they are not wanted, block the address in the web server (Apache: Require not ip " + client + ")."
}

func (v *view) blameOutage(c *api.Condition) {
	d := v.Database
	fails := "does not answer"
	if errors.Is(d.Error, store.ErrSetup) {
		fails = "refuses the proxy"
	}
	c.Cause = strings.TrimSpace(fmt.Sprintf("%s The database %s: %v.", c.Cause, fails, d.Error))
	c.Remedy = "Start or repair the database server; its own log says why it stopped. The proxy probes it twice a second and continues by itself."
	if errors.Is(d.Error, store.ErrSetup) {
		c.Remedy = "The error names the cause of the refusal: correct the account, its rights or the table in the database. The proxy tries again by itself; after a change of its own settings, restart it."
	}
}

// recovers reports whether an outage has ended within the window, and no load has failed
// since.
func (v *view) recovers() bool {
	return v.outage.err != nil && v.At.Sub(v.outage.seen) <= window && !(v.recentError() && v.Database.LastAt.After(v.outage.seen))
}

func (v *view) recentError() bool {
	return v.Database.LastError != nil && v.At.Sub(v.Database.LastAt) <= lastError
}

func (v *view) blameLastError(c *api.Condition) {
	d := v.Database
	c.Cause += fmt.Sprintf(" The last load that failed, of %s: %v.", d.Route, d.LastError)
	c.Remedy = "The error names the reason. The lines “no answer” of the log name the pages."
}
