package condition

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/plural"
)

const (
	// manyWait is the least number of waiting requests for the condition that visitors
	// wait, if the oldest of them has waited for longWait.
	manyWait, longWait = 10, time.Second
	// hangs is the time of a load, with its wait, at which it is reported.
	hangs = 5 * time.Second
	// floodEnds is the time after the last refusal of a client at which its flood is over.
	floodEnds = 15 * time.Second
	// nearLimit is the share of the memory limit at which it is reported.
	nearLimit = 0.95
)

// rule derives one condition; nil if it does not hold.
type rule struct {
	code, level string
	of          func(*view) *api.Condition
}

// rules lists all conditions. Within a level, the first that holds is the headline.
var rules = []rule{
	{"errors", api.LevelBad, errorsRise},
	{"waiting", api.LevelBad, manyWaiting},
	{"slow", api.LevelBad, answersSlow},
	{"connections", api.LevelBad, connectionsRefused},
	{"down", api.LevelBad, databaseDown},
	{"memory_over", api.LevelBad, memoryOver},
	{"maintenance", api.LevelWarn, maintenanceOn},
	{"flood", api.LevelWarn, flood},
	{"hanging", api.LevelWarn, loadHangs},
	{"held", api.LevelWarn, dataHeld},
	{"table_held", api.LevelWarn, tableHeld},
	{"old_api", api.LevelWarn, oldAPIFails},
	{"database_left", api.LevelWarn, databaseLeft},
	{"memory", api.LevelWarn, memoryNear},
	{"front", api.LevelWarn, purgesWait},
	{"gone", api.LevelWarn, membersGone},
	{"behind", api.LevelWarn, membersBehind},
	{"double", api.LevelWarn, membersDouble},
	{"shared", api.LevelWarn, levelAway},
	{"shared_full", api.LevelWarn, levelFull},
	{"file", api.LevelWarn, fileFails},
	{"log", api.LevelWarn, linesLost},
	{"panics", api.LevelWarn, panicked},
	{"unpublished", api.LevelWarn, unpublished},
	{"publish", api.LevelWarn, publishFails},
}

// codeWell is the code of a service without any other condition.
const codeWell = "well"

// well describes a service without any other condition.
func well(v *view) api.Condition {
	c := api.Condition{Code: codeWell, Level: api.LevelGood, Title: "Well", Visitors: "Visitors get fresh answers."}
	switch {
	case v.Data.Warming:
		c.Title, c.Cause = "Well, new data is loading", "New data was found. It is published once its popular pages are loaded."
		c.Visitors = "Visitors get the older data until then."
	case v.Data.Stale > 0:
		c.Title, c.Cause = "Well, some entries are stale", "Entries outside the warm set are refreshed when they are requested next."
		c.Visitors = "A stale page is served until it is refreshed."
	}
	return c
}

func errorsRise(v *view) *api.Condition {
	all, errors := v.answers()
	if v.Maintenance != nil || !busy(errors, all) {
		return nil
	}
	c := &api.Condition{
		Title:    "Visitors get errors",
		Cause:    fmt.Sprintf("%d of %d answers of the last minute were errors, %s %s now.", errors, all, plural.Of(v.Requests.Waiting, "request"), plural.Word(v.Requests.Waiting, "waits", "wait")),
		Visitors: "Cached pages are served. Other pages show an error message.",
	}
	v.diagnose(c)
	return c
}

func manyWaiting(v *view) *api.Condition {
	others := v.Requests.Waiting
	if v.floods() {
		others -= int64(v.Requests.Own)
	}
	if others < manyWait || v.oldest() < longWait {
		return nil
	}
	c := &api.Condition{
		Title:    "Visitors wait",
		Cause:    fmt.Sprintf("%d requests wait for the database now, the longest for %s.", v.Requests.Waiting, span(v.oldest())),
		Visitors: "Cached pages are served. Other pages load slowly, and show an error message after the longest wait.",
	}
	v.diagnose(c)
	return c
}

func answersSlow(v *view) *api.Condition {
	slow, all := v.slow()
	if v.Maintenance != nil || !busy(slow, all) {
		return nil
	}
	c := &api.Condition{
		Title:    "Answers are slow",
		Cause:    fmt.Sprintf("%d of %d answers of the last minute took longer than a second.", slow, all),
		Visitors: "Cached pages are served fast. Other pages load slowly.",
	}
	v.diagnose(c)
	return c
}

func connectionsRefused(v *view) *api.Condition {
	n := v.Counts.Connections - v.first.Connections
	if n == 0 {
		return nil
	}
	return &api.Condition{
		Title:    "Connections are refused",
		Cause:    fmt.Sprintf("%s of the last minute %s refused, because as many as allowed were open.", plural.Of(n, "connection"), plural.Word(n, "was", "were")),
		Visitors: "Some visitors get “too many connections”.",
		Remedy:   "See which addresses hold the connections (ss -tn), and block an address that holds many in the web server. If all are visitors, raise the limit of open files of the service (LimitNOFILE), from which the limit of connections follows.",
	}
}

func databaseDown(v *view) *api.Condition {
	if v.Database.DownSince.IsZero() || v.Maintenance != nil {
		return nil
	}
	c := &api.Condition{Title: "Database down", Since: &v.Database.DownSince, Visitors: "Cached pages are served as they are, without a limit of time. Other pages show an error message immediately."}
	if v.Sources.Default != origin.FromStore && !v.Sources.Legacy.Open {
		c.Visitors = "Cached pages are served. Other pages are loaded from the old API."
	}
	v.blameOutage(c)
	return c
}

func memoryOver(v *view) *api.Condition {
	if v.Memory.Limit <= 0 || v.Memory.Used <= v.Memory.Limit {
		return nil
	}
	return v.memory("Memory over its limit")
}

func memoryNear(v *view) *api.Condition {
	if m := v.Memory; m.Limit <= 0 || m.Used > m.Limit || float64(m.Used) <= nearLimit*float64(m.Limit) {
		return nil
	}
	return v.memory("Memory near its limit")
}

func (v *view) memory(title string) *api.Condition {
	return &api.Condition{
		Title:    title,
		Cause:    fmt.Sprintf("The process uses %s of the %s that %s allows.", bytes(v.Memory.Used), bytes(v.Memory.Limit), v.Memory.Setting),
		Visitors: "Nothing yet. Garbage collection takes more processor time; if the system has a hard limit, it may end the process.",
		Remedy:   "Raise " + v.Memory.Setting + " and the limit of the unit or container with it, or make the cache smaller, and restart. The tables Memory and Cache show which part is large.",
	}
}

func maintenanceOn(v *view) *api.Condition {
	m := v.Maintenance
	if m == nil {
		return nil
	}
	c := &api.Condition{
		Title: "Maintenance mode is on", Since: &m.Since, Cause: "An operator turned it on. No end is announced.",
		Visitors: "The site shows the maintenance page. The API answers from the cache, without fills.",
		Remedy:   "End it with the button Maintenance, or with: xcri-proxy maintenance off",
	}
	if m.Until != nil {
		c.Cause = "An operator turned it on. The announced end is " + m.Until.Format("2006-01-02 15:04 MST") + "; the mode does not end by itself."
	}
	if m.Message != "" {
		c.Visitors += " The page says: “" + m.Message + "”"
	}
	return c
}

func flood(v *view) *api.Condition {
	refused := v.Counts.Refused-v.first.Refused >= 5 && v.At.Sub(v.Requests.RejectedAt) <= floodEnds
	if !refused && !(v.floods() && v.oldest() >= longWait) {
		return nil
	}
	c := &api.Condition{Title: "One client floods the service", Visitors: "Other visitors are served: a client that has its share of loads gets “too many requests” (429)."}
	v.blameFlood(c)
	return c
}

func loadHangs(v *view) *api.Condition {
	if v.oldest() < hangs {
		return nil
	}
	c := &api.Condition{
		Title:    "A load takes long",
		Cause:    fmt.Sprintf("A request has waited for %s for %s.", span(v.oldest()), v.Requests.Loads[0].Key),
		Visitors: "Cached pages are served. The visitors of this page wait.",
	}
	v.diagnose(c)
	return c
}

func dataHeld(v *view) *api.Condition {
	if v.Data.Held == "" {
		return nil
	}
	return &api.Condition{
		Title: "New data is held back", Since: &v.Data.HeldSince,
		Cause:    "The new data resembles an unfinished import: " + v.Data.Held + ".",
		Visitors: "Visitors get the data from before the import.",
		Remedy: "Check the import. If it failed, repeat it: complete data is published by itself. If the data is right, publish it with the button “Publish it as it is”, or with: xcri-proxy warm --accept. " +
			"Without action it is published " + span(v.Data.HeldFor) + " after it was first seen.",
	}
}

func tableHeld(v *view) *api.Condition {
	if len(v.Data.Tables) == 0 {
		return nil
	}
	return &api.Condition{
		Title:    "Changes of a table are held back",
		Cause:    strings.Join(v.Data.Tables, "; ") + ".",
		Visitors: "Visitors get the rows from before the change.",
		Remedy: "Check the table, and repeat the import if it failed: complete rows are accepted by themselves. If the rows are right, accept them with the button “Publish it as it is”, or with: xcri-proxy warm --accept. " +
			"Without action they are accepted " + span(v.Data.HeldFor) + " after they were first seen.",
	}
}

func oldAPIFails(v *view) *api.Condition {
	s := v.Sources
	used := s.Default != origin.FromStore
	for _, source := range s.Routes {
		used = used || source != origin.FromStore
	}
	if !s.Legacy.Open || !used {
		return nil
	}
	c := &api.Condition{
		Title: "The old API fails", Since: &s.Legacy.Since, Cause: "Its circuit breaker is open: " + s.Legacy.Reason + ".",
		Visitors: "Nothing while the database answers. If the database fails too, pages that are not cached show an error message.",
		Remedy:   "Check that the old API runs and answers. The breaker closes by itself after three successful probes.",
	}
	if s.Default == origin.FromLegacy {
		c.Visitors = "Cached pages are served. Other pages show an error message."
	}
	return c
}

func databaseLeft(v *view) *api.Condition {
	if !v.Sources.Store.Open || !v.Database.DownSince.IsZero() {
		return nil
	}
	return &api.Condition{
		Title: "Answers come from the old API", Since: &v.Sources.Store.Since, Cause: "The circuit breaker of the database is open: " + v.Sources.Store.Reason + ".",
		Visitors: "Cached pages are served. Other pages are loaded from the old API, more slowly.",
		Remedy:   "See the line “no answer” in the log, and SHOW FULL PROCESSLIST of the database. The breaker closes by itself after three successful probes.",
	}
}

func fileFails(v *view) *api.Condition {
	if len(v.Failed) == 0 {
		return nil
	}
	f := v.Failed[0]
	return &api.Condition{
		Title: "A file can’t be written", Since: &f.Since,
		Cause:    fmt.Sprintf("%s %s: %v.", f.Setting, f.Path, f.Error),
		Visitors: "Nothing now. After a restart the contents of the file are missing or old: without the cache file, the first visitors of each page wait.",
		Remedy:   "Free space on the disk (df -h " + filepath.Dir(f.Path) + "), or give the service's account the right to write there. The proxy tries again every minute.",
	}
}

func linesLost(v *view) *api.Condition {
	n := v.Counts.LostLines - v.first.LostLines
	if n == 0 {
		return nil
	}
	return &api.Condition{
		Title:    "Log lines are lost",
		Cause:    fmt.Sprintf("%s of the log %s dropped in the last minute: the reader is too slow or gone, or the disk is full.", plural.Of(n, "line"), plural.Word(n, "was", "were")),
		Visitors: "Nothing: the log never delays an answer.",
		Remedy:   "Check the program that reads the log, and the disk that it writes to (df -h).",
	}
}

func panicked(v *view) *api.Condition {
	if v.Counts.Panics == 0 {
		return nil
	}
	return &api.Condition{
		Title: "The program has a fault", Cause: plural.Of(v.Counts.Panics, "panic") + " since the start.",
		Visitors: "The requests that met the fault got an error. All others are served.",
		Remedy:   "The log has a line with “panic” and a stack for each. Report it with the stack; a restart clears this line.",
	}
}

func unpublished(v *view) *api.Condition {
	if v.Data.Published || !v.Database.DownSince.IsZero() || v.Maintenance != nil {
		return nil
	}
	return &api.Condition{
		Title: "No data is published yet", Cause: "The warm set is loading for the first time.",
		Visitors: "Each page is loaded when it is first requested.",
		Remedy:   "Wait. If this lasts for minutes, the section Warm set shows the last error.",
	}
}

// publishFails reports a poll that can't publish. Old stale entries alone are normal: a
// page outside the warm set is refreshed at its next request.
func publishFails(v *view) *api.Condition {
	d := v.Data
	if d.Problem == "" || d.Held != "" || !v.Database.DownSince.IsZero() || v.Maintenance != nil {
		return nil
	}
	return &api.Condition{
		Title:    "New data can’t be published",
		Cause:    "The last poll of the database failed: " + d.Problem + ".",
		Visitors: "Visitors get the older data, where it is cached.",
		Remedy:   "The error names the reason. The proxy tries again by itself.",
	}
}

// bytes formats a size.
func bytes(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

// span formats a time for people.
func span(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.0f h", d.Hours())
}
