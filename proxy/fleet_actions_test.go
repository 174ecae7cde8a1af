package proxy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
)

// has reports whether a proxy has an event of a kind, with parts of its text.
func has(p *Proxy, kind events.Kind, parts ...string) bool {
	return slices.ContainsFunc(p.events.All(), func(e events.Event) bool {
		return e.Kind == kind && !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(e.Text, part) })
	})
}

// TestActionsWithoutTheFleet: the answer to an action that could not reach the shared level
// warns, whether the level is away or full. The other member does the action later. Its events
// name the member on which the action was made, and an action that it refuses.
func TestActionsWithoutTheFleet(t *testing.T) {
	opts, db := scratch(t)
	s := redisserver.Start(t)
	old := awayLegacy(t)
	with := opts
	with.Legacy = old
	a, base := start(t, fleetOptions(t, with, db, s.URL))
	b, _ := start(t, fleetOptions(t, opts, db, s.URL))
	by := "by " + a.opts.Fleet.Name
	linked := func(up bool) {
		t.Helper()
		for _, p := range []*Proxy{a, b} {
			await(t, "the link", func() bool { return p.fleet.Stats().Up == up })
		}
	}
	warns := func(page, request string, want string) {
		t.Helper()
		var answer struct{ Warning string }
		got := post(t, base, page, request)
		if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status/100 != 2 {
			t.Fatalf("%s %s: %d %s", page, request, got.status, got.body)
		}
		answer.Warning = strings.TrimPrefix(answer.Warning, "STATE_FILE is not set; ")
		if !strings.HasPrefix(answer.Warning, want) || (want == "") != (answer.Warning == "") {
			t.Errorf("%s %s: warning %q, want %q", page, request, answer.Warning, want)
		}
	}
	linked(true)
	s.Kill()
	linked(false)
	const only = "done on this proxy only: the other members do it once the shared level is back ("
	warns("/cache/purge", `{"all":true}`, only+"the shared level is away)")
	warns("/cache/purge", `{"all":true,"local":true}`, "")
	warns("/cache/maintenance", `{"on":true,"message":"an import"}`, only)
	warns("/cache/warm", `{}`, only)
	warns("/cache/source", `{"source":"auto"}`, only)
	s.Run()
	linked(true)
	await(t, "the purge on the other member", func() bool { return has(b, events.Purge, "purged, all "+by) })
	await(t, "maintenance mode on the other member", func() bool { return has(b, events.Maintenance, "on "+by+": an import") })
	await(t, "the refusal of the other member", func() bool { return has(b, events.Refused, "source "+by, "LEGACY_URL is not set") })
	warns("/cache/purge", `{"all":true}`, "")
	s.Do("CONFIG", "SET", "maxmemory", "1")
	warns("/cache/maintenance", `{"on":false}`, only+"the shared level is full)")
	s.Do("CONFIG", "SET", "maxmemory", "0")
	await(t, "the end on the other member", func() bool { return !b.maintenance.On() && has(b, events.Reopen, "off "+by) })
}
