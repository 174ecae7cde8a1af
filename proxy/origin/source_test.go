package origin

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// TestDefaults: a function that is not given does nothing, and a share of errors that is
// given holds.
func TestDefaults(t *testing.T) {
	defaults := (Options{}).withDefaults()
	if defaults.MaxErrors != defaultMaxErrors {
		t.Errorf("MaxErrors %v", defaults.MaxErrors)
	}
	defaults.OnDown()
	defaults.OnSwitch("a switch")
	defaults.OnLoad(Load{})
	if o := (Options{MaxErrors: 0.25}).withDefaults(); o.MaxErrors != 0.25 {
		t.Errorf("MaxErrors %v", o.MaxErrors)
	}
	f := newFixture(t, Options{})
	bare, err := New(Options{Store: f, Legacy: f.opts.Legacy, Routes: f.router, Outage: cache.NewOutage(nil), Source: FromAuto})
	if err != nil {
		t.Fatal(err)
	}
	f.storeErr = store.ErrUnavailable
	if a, err := bare.Load(t.Context(), f.question(t, "/teams/")); err != nil || from(a) != "legacy" || a.Generation != unknownGeneration {
		t.Errorf("%+v, %v", a, err)
	}
	o := Options{Generation: func(store.Scope) string { return "g" }}.withDefaults()
	if g := o.Generation(store.Scope{}); g != "g" {
		t.Errorf("generation %q", g)
	}
}

// TestSwitchesAreReported: each switch of a breaker is reported and logged, as a warning if
// it opens.
func TestSwitchesAreReported(t *testing.T) {
	var log strings.Builder
	var texts []string
	f := newFixture(t, Options{Source: FromAuto, OnSwitch: func(text string) { texts = append(texts, text) },
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))})
	now := time.Now()
	want, lines := []string{}, ""
	for _, tt := range []struct {
		of           *breaker
		opens, close string
	}{
		{f.store, "; answers come from the old API", "; answers come from the store again"},
		{f.legacy, "; it gets probes only", "; the old API answers again"},
	} {
		tt.of.trip(now, "it fails")
		for range goodProbes {
			tt.of.record(result{route: "/teams/", at: now.Add(holdFor), probe: true})
		}
		opens, closes := "auto: it fails"+tt.opens, "auto: 3 probes in a row succeeded"+tt.close
		want = append(want, opens, closes)
		lines += fmt.Sprintf("level=WARN msg=%q\nlevel=INFO msg=%q\n", opens, closes)
	}
	if fmt.Sprint(texts) != fmt.Sprint(want) {
		t.Errorf("reported %q, want %q", texts, want)
	}
	if log.String() != lines {
		t.Errorf("logged\n%s, want\n%s", log.String(), lines)
	}
}

// TestRestoredOverridesAreLogged: a warning says that the configuration does not hold, and
// sources that need a missing old API are ignored.
func TestRestoredOverridesAreLogged(t *testing.T) {
	for _, tt := range []struct {
		overrides map[string]string
		kept      string
		restored  int
	}{
		{nil, "", 0},
		{map[string]string{"/gone": "store"}, "", 0},
		{map[string]string{"": "legacy", "/teams/": "auto"}, "", 0}, // there is no old API
		{map[string]string{"": "store"}, "map[:store]", 1},
	} {
		var log strings.Builder
		o, err := New(Options{Routes: route.NewRouter(store.Endpoints(), ""), Outage: cache.NewOutage(nil),
			Overrides: tt.overrides, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		kept := ""
		if o.Overrides() != nil {
			kept = fmt.Sprint(o.Overrides())
		}
		if kept != tt.kept || strings.Count(log.String(), "restored") != tt.restored {
			t.Errorf("%v: kept %s, logged %s", tt.overrides, kept, log.String())
		}
	}
}

// TestFillsWhileDown: during an outage the old API fills the routes that use it, in auto
// only while its breaker allows a load.
func TestFillsWhileDown(t *testing.T) {
	for _, tt := range []struct {
		all    Source
		routes map[string]Source
		open   bool // the old API's breaker
		fills  string
	}{
		{FromStore, nil, false, ""},
		{FromStore, map[string]Source{"/teams/": FromLegacy}, true, "/teams/"},
		{FromStore, map[string]Source{"/teams/": FromAuto}, false, "/teams/"},
		{FromStore, map[string]Source{"/teams/": FromAuto}, true, ""},
		{FromLegacy, nil, true, "/teams/ /athletes/"},
		{FromLegacy, map[string]Source{"/teams/": FromStore}, false, "/athletes/"},
		{FromAuto, nil, false, "/teams/ /athletes/"},
		{FromAuto, nil, true, ""},
		{FromAuto, map[string]Source{"/athletes/": FromLegacy}, true, "/athletes/"},
	} {
		f := newFixture(t, Options{Source: tt.all, RouteSources: tt.routes})
		if tt.open {
			f.legacy.trip(time.Now(), "it fails")
		}
		var fills []string
		for _, key := range []string{"/teams/", "/athletes/", "/no-route"} {
			if f.FillsWhileDown(key) {
				fills = append(fills, key)
			}
		}
		if got := strings.Join(fills, " "); got != tt.fills {
			t.Errorf("%v %v, open %t: fills %q, want %q", tt.all, tt.routes, tt.open, got, tt.fills)
		}
	}
}

// TestStats: the sources that are configured and in effect, and the routes with another
// source than the default.
func TestStats(t *testing.T) {
	f := newFixture(t, Options{Source: FromLegacy, RouteSources: map[string]Source{"/teams/": FromStore, "/athletes/": FromLegacy}})
	check := func(want string) {
		t.Helper()
		s := f.Stats()
		if got := fmt.Sprint(s.Default, " ", s.Routes, " ", s.Changed, ", configured ", s.Configured.Default, " ", s.Configured.Routes); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	check("legacy map[/teams/:store] false, configured legacy map[/teams/:store]")
	if _, err := f.Override("auto", []string{"/athletes/"}); err != nil {
		t.Fatal(err)
	}
	check("legacy map[/athletes/:auto /teams/:store] true, configured legacy map[/teams/:store]")
	if _, err := f.Override("store", nil); err != nil {
		t.Fatal(err)
	}
	check("store map[] true, configured legacy map[/teams/:store]")
	f.Reset()
	check("legacy map[/teams/:store] false, configured legacy map[/teams/:store]")
}

// TestStatsJudge: the statistics show an outage without a load, if a route uses auto.
func TestStatsJudge(t *testing.T) {
	for _, tt := range []struct {
		all    Source
		routes map[string]Source
		open   bool
	}{
		{FromStore, nil, false}, {FromLegacy, nil, false}, {FromAuto, nil, true},
		{FromStore, map[string]Source{"/teams/": FromAuto}, true}, {FromStore, map[string]Source{"/teams/": FromLegacy}, false},
		{FromAuto, map[string]Source{"/teams/": FromStore}, true},
	} {
		f := newFixture(t, Options{Source: tt.all, RouteSources: tt.routes})
		f.outage.Down(store.ErrUnavailable)
		if s := f.Stats(); s.Store.Open != tt.open {
			t.Errorf("%v %v: %+v", tt.all, tt.routes, s.Store)
		}
	}
}

// TestWrongOverrides: an override that is not possible changes nothing.
func TestWrongOverrides(t *testing.T) {
	f := newFixture(t, Options{})
	for source, routes := range map[string][]string{"Legacy": nil, "legacy": {"/teams/", "/gone"}, "auto": {route.HealthPath}} {
		if moved, err := f.Override(source, routes); err == nil || moved != nil || f.Overrides() != nil {
			t.Errorf("%s %v: %d moved, %v, %v", source, routes, len(moved), f.Overrides(), err)
		}
	}
	f.opts.Legacy = nil
	if moved, err := f.Override("legacy", nil); !errors.Is(err, ErrNoLegacy) || moved != nil || f.Overrides() != nil {
		t.Errorf("%d moved, %v, %v", len(moved), f.Overrides(), err)
	}
}
