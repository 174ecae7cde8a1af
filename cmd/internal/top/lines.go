package top

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/plural"
)

// look is the appearance of a line on a screen.
type look uint8

const (
	plain look = iota
	title
	heading
	good
	warning
	bad
	faint
)

// line is a line of the screen.
type line struct {
	text string
	look look
}

// keysHelp is the last line of the screen.
const keysHelp = "q quit   p pause   s sort   l list   r read now"

// lines returns the screen, cut or filled to a height; zero means all lines.
func (v *view) lines(height int) []line {
	all := []line{v.title(), v.state(), v.remedy(), {}}
	all = append(all, v.rates()...)
	all = append(all, line{})
	all = append(all, v.figures()...)
	all = append(all, line{}, v.listHeading())
	items := v.items()
	if height > 0 {
		items = items[:min(len(items), max(0, height-len(all)-1))]
	}
	for _, i := range items {
		all = append(all, v.item(i))
	}
	if len(items) == 0 {
		all = append(all, line{"  none", faint})
	}
	if height == 0 {
		return all
	}
	all = all[:min(len(all), height-1)]
	for len(all) < height-1 {
		all = append(all, line{})
	}
	return append(all, line{keysHelp, faint})
}

func (v *view) title() line {
	s := v.now()
	text := fmt.Sprintf("xcri-proxy %s at %s, up %s, %s", s.stats.Version, v.at, upFor(s.stats.UptimeSeconds), s.at.Format(time.TimeOnly))
	if v.paused {
		return line{text + "  PAUSED", title}
	}
	return line{text + fmt.Sprintf(", every %v", v.every), title}
}

// upFor writes a time since a start in its two largest units.
func upFor(seconds float64) string {
	d := time.Duration(seconds) * time.Second
	switch days := int(d.Hours()) / 24; {
	case days > 0:
		return fmt.Sprintf("%dd %dh", days, int(d.Hours())%24)
	case d >= time.Hour:
		return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%dm %ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return d.String()
}

// state describes the service in the words of the ops room: the gravest condition.
func (v *view) state() line {
	if v.failed.err != nil {
		return line{fmt.Sprintf("NO ANSWER since %s: %v", v.failed.at.Format(time.TimeOnly), v.failed.err), bad}
	}
	conditions := v.now().stats.Conditions
	if len(conditions) == 0 {
		return line{"the proxy reports no condition", plain} // an older version
	}
	c := conditions[0]
	text := c.Title
	if c.Since != nil {
		text += " since " + clock(c.Since)
	}
	if c.Cause != "" {
		text += ": " + c.Cause
	}
	if n := len(conditions) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more)", n)
	}
	switch c.Level {
	case api.LevelBad:
		return line{"BAD: " + text, bad}
	case api.LevelWarn:
		return line{"WARNING: " + text, warning}
	}
	return line{text, good}
}

// remedy is the line below the state: the effect on visitors, and the remedy.
func (v *view) remedy() line {
	conditions := v.now().stats.Conditions
	if len(conditions) == 0 || v.failed.err != nil {
		return line{}
	}
	return line{strings.TrimSpace(conditions[0].Visitors + " " + conditions[0].Remedy), plain}
}

func clock(t *time.Time) string {
	if t == nil {
		return "an unknown time"
	}
	return t.Local().Format(time.TimeOnly)
}

// outcomesShown are the outcomes from the best to the worst.
var outcomesShown = []string{"hit", "stale", "stale_error", "miss", "coalesced", "pass", "error"}

// rates are the counts of requests, as rates over three periods and in total.
func (v *view) rates() []line {
	row := func(name string, count func(*api.Stats) int64, l look) line {
		if l == bad && v.rate(short, count) == 0 {
			l = plain
		}
		return line{fmt.Sprintf("%-12s %10.1f %10.1f %10.1f %14d", name,
			v.rate(0, count), v.rate(short, count), v.rate(long, count), count(&v.now().stats)), l}
	}
	all := []line{
		{fmt.Sprintf("%-12s %10s %10s %10s %14s", "a second", "now", "10 s", "60 s", "since start"), heading},
		row("requests", requests, plain),
	}
	for _, name := range outcomesShown {
		l := plain
		if name == "error" || name == "stale_error" {
			l = bad
		}
		all = append(all, row("  "+name, outcome(name), l))
	}
	return append(all,
		line{fmt.Sprintf("%-12s %10s %10s %10s %14s", "hit ratio", share(v.hitRatio(0)), share(v.hitRatio(short)), share(v.hitRatio(long)), share(hitRatioOf(v.now().stats.Requests.Outcomes))), plain},
		row("304", func(s *api.Stats) int64 { return s.Requests.NotModified }, plain),
		row("5xx", serverErrors, bad),
		row("refused", refused, bad))
}

// refused counts the requests and connections that were refused because a limit was
// reached.
func refused(s *api.Stats) int64 {
	n := s.Requests.Refused
	for _, count := range s.Requests.ClientRefused {
		n += count
	}
	return n
}

// serverErrors counts the answers with a status from 500 on, for the site and the old
// API too.
func serverErrors(s *api.Stats) (n int64) {
	for status, count := range s.Requests.Statuses {
		if status >= "500" {
			n += count
		}
	}
	return n
}

func share(ratio float64) string {
	if ratio < 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*ratio)
}

// percentiles returns percentiles in milliseconds as text.
func percentiles(p50, p95, p99 float64) string {
	if p99 == 0 {
		return "no requests"
	}
	return fmt.Sprintf("p50 %.2f ms, p95 %.2f ms, p99 %.2f ms", p50, p95, p99)
}

// figures are the state of the parts.
func (v *view) figures() []line {
	s, latest := &v.now().stats, &v.now().latest
	size := console.Bytes
	inUse, waits := plain, v.rate(short, func(s *api.Stats) int64 { return s.Pool.Waits })
	if waits > 0 {
		inUse = bad
	}
	lanes := ""
	for _, lane := range slices.Sorted(maps.Keys(s.Cache.Lanes)) {
		lanes += fmt.Sprintf("; %s %d, %d queued", lane, s.Cache.Lanes[lane].Running, s.Cache.Lanes[lane].Queued)
	}
	lines := []line{
		{fmt.Sprintf("%-12s %s in 10 s; %s since start", "latency", percentiles(float64(latest.All.P50), float64(latest.All.P95), float64(latest.All.P99)),
			percentiles(s.Requests.Latency.P50MS, s.Requests.Latency.P95MS, s.Requests.Latency.P99MS)), plain},
		{fmt.Sprintf("%-12s %d of %d connections in use, at most %d in 10 s; %.1f waits a second", "database", s.Pool.InUse, s.Pool.Limit, latest.PoolInUse, waits), inUse},
		{fmt.Sprintf("%-12s %d running, %s %s%s", "fills", s.Cache.Filling, plural.Of(s.Cache.Waiting, "request"), plural.Word(s.Cache.Waiting, "waits", "wait"), lanes), plain},
		{fmt.Sprintf("%-12s %.1f a second, %.1f fail, %.1f refreshes", "loads", v.rate(short, func(s *api.Stats) int64 { return s.Cache.Fills }),
			v.rate(short, func(s *api.Stats) int64 { return s.Cache.Failures }), v.rate(short, func(s *api.Stats) int64 { return s.Cache.Refreshes })), plain},
		{fmt.Sprintf("%-12s %s of %s; cache %s of %s, %s, %d stale", "memory", size(s.Memory.Used), size(s.Memory.Budget),
			size(s.Cache.Bytes), size(s.Cache.Budget), plural.Of(s.Cache.Entries, "entry"), s.Generation.StaleCount), plain},
		{fmt.Sprintf("%-12s %d open", "connections", s.Requests.Open), plain},
	}
	return append(lines, v.fleet()...)
}

// fleet describes the proxies that share a level, and the level; none without one.
func (v *view) fleet() []line {
	f := v.now().stats.Fleet
	if f == nil {
		return nil
	}
	behind, style, level := 0, plain, "up"
	for _, m := range f.Members {
		if m.Behind != nil {
			behind++
		}
	}
	if f.State == api.BreakerOpen {
		level = "away"
	}
	if level == "away" || behind+len(f.Gone) > 0 {
		style = bad
	}
	rate := func(of func(*api.Fleet) int64) float64 {
		return v.rate(short, func(s *api.Stats) int64 {
			if s.Fleet == nil {
				return 0
			}
			return of(s.Fleet)
		})
	}
	bytes := func(of func(*api.Fleet) int64) string { return console.Bytes(int64(rate(of))) }
	return []line{{fmt.Sprintf("%-12s %s, %d behind, %d gone; shared level %s, %.1f hits, %.1f misses, %.1f waits a second, p99 %.2f ms", "fleet",
		plural.Of(len(f.Members), "member"), behind, len(f.Gone), level,
		rate(func(f *api.Fleet) int64 { return f.Hits }), rate(func(f *api.Fleet) int64 { return f.Misses }), rate(func(f *api.Fleet) int64 { return f.Waits }), f.Latency.P99MS), style},
		{fmt.Sprintf("%-12s %s read, %s written a second; %s and %s since start", "shared level",
			bytes(func(f *api.Fleet) int64 { return f.Read }), bytes(func(f *api.Fleet) int64 { return f.Written }), plural.Of(f.Errors, "error"), plural.Of(f.Switches, "switch")), plain},
		{fmt.Sprintf("%-12s %d together, %d late, %d alone since start; %s lost; %s %s for one, %d have for %.1f s", "publishes",
			f.Publishes.Together, f.Publishes.Late, f.Publishes.Alone, plural.Of(f.Publishes.Lost, "vote"), plural.Of(f.Holds.Now, "request"), plural.Word(f.Holds.Now, "waits", "wait"), f.Holds.Total, f.Holds.Seconds), plain}}
}

func (v *view) listHeading() line {
	by := "  (by " + Sorts[v.sort] + ")"
	if Lists[v.list] == "loading" {
		return line{fmt.Sprintf("%10s %8s %-8s %-10s %-16s  %s", "age ms", "waiting", "phase", "lane", "client", "key that is loading"), heading}
	}
	if Lists[v.list] == "members" {
		return line{fmt.Sprintf("%-10s %-12s %-19s %-8s  %s", "version", "state", "data of", "behind", "member"), heading}
	}
	if Lists[v.list] == "routes" {
		return line{fmt.Sprintf("%10s %12s %8s %10s  %s", "a second", "since start", "hits", "p99 ms", "route") + by, heading}
	}
	return line{fmt.Sprintf("%10s %12s %-12s %-6s  %s", "a second", "requests", "outcome", "shelf", "key") + by, heading}
}

func (v *view) item(i item) line {
	l := plain
	if i.bad {
		l = bad
	}
	if f := i.load; f != nil {
		return line{fmt.Sprintf("%10.0f %8d %-8s %-10s %-16s  %s", f.AgeMS, f.Waiting, f.Phase, f.Lane, f.Client, f.Key), l}
	}
	if m := i.member; m != nil {
		behind, name := "", m.Name
		if m.Behind != nil {
			behind = v.now().at.Sub(*m.Behind).Round(time.Second).String()
		}
		if m.Own {
			name += " (this proxy)"
		}
		return line{fmt.Sprintf("%-10s %-12s %-19s %-8s  %s", m.Version, m.Health, m.Calculated, behind, name), l}
	}
	if m := i.gone; m != nil {
		return line{fmt.Sprintf("%-10s %-12s %-19s %-8s  %s", m.Version, "gone", m.Calculated, "", m.Name+", last heard of "+v.now().at.Sub(m.Heard).Round(time.Second).String()+" ago"), l}
	}
	if i.route != nil {
		return line{fmt.Sprintf("%10.1f %12d %8s %10.2f  %s", i.rate, i.total, share(hitRatioOf(i.route.Outcomes)), i.route.Latency.P99MS, i.name), l}
	}
	return line{fmt.Sprintf("%10.1f %12d %-12s %-6s  %s", i.rate, i.total, i.outcome, i.where, i.name), l}
}
