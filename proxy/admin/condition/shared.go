package condition

import (
	"fmt"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/plural"
)

const (
	// purgeTakes is the time of a pending purge at which it is reported: a purge that
	// fails once is repeated sooner.
	purgeTakes = 10 * time.Second
	// levelReturns is the time of an absence of the shared level at which it is reported.
	levelReturns = 5 * time.Second
	// publishTakes is the lag of a member at which it is reported.
	publishTakes = 30 * time.Second
	// drains is the time for which two members of one name may run: a process that hands over
	// ends its requests beside its successor.
	drains = time.Minute
)

// ofOthers are the conditions of other members of the fleet, by code.
var ofOthers = map[string]bool{"gone": true, "behind": true, "double": true}

// Own returns the code of the gravest of the conditions that are this proxy's own: a
// proxy that is gone, behind, or of another's name does not impair this proxy.
func Own(all []api.Condition) (code string) {
	for _, c := range all {
		if !ofOthers[c.Code] {
			return c.Code
		}
	}
	return codeWell
}

// delayed names the parts that have been late for long enough to be reported.
type delayed struct {
	now   time.Time
	from  time.Duration // of a delay
	names []string
	since time.Time // of the longest delay
}

// add adds a part that is late since a time, unless the delay is short.
func (d *delayed) add(name string, since time.Time) {
	if d.now.Sub(since) < d.from {
		return
	}
	d.names = append(d.names, name)
	if d.since.IsZero() || since.Before(d.since) {
		d.since = since
	}
}

func (d *delayed) none() bool { return len(d.names) == 0 }

// span returns the longest delay.
func (d *delayed) span() string { return span(d.now.Sub(d.since)) }

func (d delayed) String() string { return strings.Join(d.names, ", ") }

// purgesWait reports caches in front that are not purged: they give old answers to their
// visitors.
func purgesWait(v *view) *api.Condition {
	late := delayed{now: v.At, from: purgeTakes}
	for _, f := range v.Fronts {
		if f.PendingSince == nil {
			continue
		}
		text := f.Name
		if f.Error != "" {
			text += " (" + f.Error + ")"
		}
		late.add(text, *f.PendingSince)
	}
	if late.none() {
		return nil
	}
	return &api.Condition{
		Title: "A cache in front is not purged", Since: &late.since,
		Cause:    fmt.Sprintf("Purges have waited for %s: %s.", late.span(), late),
		Visitors: "Visitors of that cache may get answers from before the last publish or purge.",
		Remedy:   "Check that the cache runs, and that it accepts purges from this proxy. The proxy repeats them at least every 5 s.",
	}
}

func membersGone(v *view) *api.Condition {
	var names []string
	var since *time.Time
	for _, m := range v.Fleet.Gone {
		names = append(names, fmt.Sprintf("%s, %s ago", m.Name, span(v.At.Sub(m.Heard))))
		if since == nil || m.Heard.Before(*since) {
			since = &m.Heard
		}
	}
	if len(names) == 0 {
		return nil
	}
	return &api.Condition{
		Title: "A proxy of the fleet is gone", Since: since,
		Cause:    "Last heard of and not stopped in order: " + strings.Join(names, "; ") + ".",
		Visitors: "Nothing: the other proxies answer, if the balancer has taken it out.",
		Remedy:   "Check its host, its log, and its way to the Redis. It returns by itself once it runs, and is listed for ten minutes otherwise.",
	}
}

func membersBehind(v *view) *api.Condition {
	late := delayed{now: v.At, from: publishTakes}
	for _, m := range v.Fleet.Members {
		if !m.Behind.IsZero() {
			late.add(m.Name, m.Behind)
		}
	}
	if late.none() {
		return nil
	}
	return &api.Condition{
		Title: "A proxy of the fleet is behind", Since: &late.since,
		Cause:    fmt.Sprintf("Another proxy published newer data %s ago than %s.", late.span(), late),
		Visitors: "Visitors of the named proxy get older data.",
		Remedy:   "Check its state here and in its own ops room: its database may be a replica that lags, or its warm set can't be loaded.",
	}
}

func membersDouble(v *view) *api.Condition {
	double := delayed{now: v.At, from: drains}
	for _, m := range v.Fleet.Members {
		if !m.Double.IsZero() {
			double.add(m.Name, m.Double)
		}
	}
	if double.none() {
		return nil
	}
	return &api.Condition{
		Title: "Proxies of the fleet have one name", Since: &double.since,
		Cause:    fmt.Sprintf("For %s several proxies have run under one name: %s.", double.span(), double),
		Visitors: "Nothing: each proxy answers and votes by itself.",
		Remedy:   "Give each host or container a host name of its own: the name of a proxy is its host name and its address. Without that a proxy that is gone is not reported.",
	}
}

func levelAway(v *view) *api.Condition {
	f := v.Fleet
	if !f.Away || f.Since.IsZero() || v.At.Sub(f.Since) < levelReturns {
		return nil
	}
	return &api.Condition{
		Title: "The shared cache is away", Since: &f.Since,
		Cause:    "The Redis or Valkey of the fleet does not answer: " + f.Reason + ".",
		Visitors: "Nothing: each proxy loads missing answers from the database by itself.",
		Remedy:   "Start or repair the Redis. The proxy probes it at least every 5 s; purges and other actions reach the other proxies then.",
	}
}

func levelFull(v *view) *api.Condition {
	n := v.Counts.Full - v.first.Full
	if n <= 0 {
		return nil
	}
	return &api.Condition{
		Title:    "The shared cache is full",
		Cause:    fmt.Sprintf("The Redis or Valkey of the fleet refused %d %s in the last minute: its memory is used up, and it may remove nothing.", n, plural.Word(n, "answer or lock", "answers or locks")),
		Visitors: "Nothing: each proxy loads answers from the database by itself.",
		Remedy:   "Set maxmemory-policy to volatile-lru in the Redis, or raise maxmemory.",
	}
}
