package top

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// figures returns the figures of a proxy after some seconds: 100 hits and one miss a
// second, and 50 requests for the first key.
func figures(seconds int) api.Stats {
	n := int64(seconds)
	return api.Stats{
		Program: api.Program{Version: "v1", UptimeSeconds: float64(seconds)},
		Traffic: api.Traffic{
			Requests: api.Requests{Outcomes: map[string]int64{"hit": 100 * n, "miss": n, "pass": 0}, HitRatio: .99},
			Routes: map[string]api.Route{
				"/teams/":     {Outcomes: map[string]int64{"hit": 60 * n}, Latency: api.Latency{P99MS: 2}},
				"/athletes/":  {Outcomes: map[string]int64{"hit": 40 * n, "miss": n}},
				"/snapshots/": {Outcomes: map[string]int64{"hit": 0}},
			},
		},
		Cache:   api.Cache{Lanes: map[string]api.Lane{"list": {Running: 1, Queued: 2}}, Budget: 64 << 20},
		Origins: api.Origins{Pool: api.Pool{InUse: 3, Limit: 8}},
		Notable: api.Notable{Hottest: []api.HotKey{{Key: "/teams/?gender=M", Asked: uint32(50 * n), Where: "warm", Outcome: "hit"}, {Key: "/athletes/?limit=7", Asked: 9, Where: "tail", Outcome: "stale"}}},
	}
}

// viewAfter returns a view that read the figures each second.
func viewAfter(seconds int) *view {
	v := newView("127.0.0.1:8000", Options{Interval: time.Second, Sort: "rate", List: "keys"})
	begun := time.Date(2025, 10, 27, 2, 13, 0, 0, time.Local)
	for n := range seconds {
		v.add(sample{at: begun.Add(time.Duration(n) * time.Second), stats: figures(n)})
	}
	return v
}

func textOf(v *view, height int) string {
	var all []string
	for _, l := range v.lines(height) {
		all = append(all, l.text)
	}
	return strings.Join(all, "\n")
}

// TestRates holds the rates of each period, that no more than a minute is kept, and that
// a restart of the proxy begins anew.
func TestRates(t *testing.T) {
	v := viewAfter(200)
	if n := len(v.samples); n < 60 || n > 62 {
		t.Errorf("%d samples are kept", n)
	}
	for _, period := range []time.Duration{0, short, long} {
		if rate := v.rate(period, requests); rate < 100.99 || rate > 101.01 {
			t.Errorf("%v: %v requests a second", period, rate)
		}
		if ratio := v.hitRatio(period); ratio < .99 || ratio > .9902 {
			t.Errorf("%v: hit ratio %v", period, ratio)
		}
	}
	v.add(sample{at: v.now().at.Add(time.Second), stats: figures(1)})
	if len(v.samples) != 1 || v.rate(short, requests) != 0 || v.hitRatio(short) != -1 {
		t.Errorf("after a restart: %d samples, rate %v", len(v.samples), v.rate(short, requests))
	}
}

// TestScreenWithoutRequests holds that a proxy without requests has neither a hit ratio nor
// latencies.
func TestScreenWithoutRequests(t *testing.T) {
	v := newView("127.0.0.1:8000", Options{Interval: time.Second, Sort: Sorts[0], List: Lists[0]})
	v.add(sample{at: time.Now(), stats: figures(0)})
	text := textOf(v, 0)
	for _, want := range []string{
		"hit ratio             -          -          -              -\n",
		"latency      no requests in 10 s; no requests since start\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestScreen holds the screen of a proxy that is well, and that its height is kept.
func TestScreen(t *testing.T) {
	v := viewAfter(30)
	text := textOf(v, 0)
	for _, want := range []string{
		"xcri-proxy v1 at 127.0.0.1:8000, up 29s, 02:13:29, every 1s",
		"requests          101.0      101.0      101.0           2929",
		"  hit             100.0      100.0      100.0           2900",
		"hit ratio        99.0 %     99.0 %     99.0 %         99.0 %",
		"3 of 8 connections in use", "list 1, 2 queued", "requests outcome      shelf   key  (by rate)",
		"      50.0         1450 hit          warm    /teams/?gender=M\n       0.0            9 stale        tail    /athletes/?limit=7",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, height := range []int{1, 5, 24, 60} {
		if lines := v.lines(height); len(lines) != height || lines[height-1].text != keysHelp {
			t.Errorf("height %d: %d lines, the last %q", height, len(lines), lines[len(lines)-1].text)
		}
	}
}

// TestLists holds the order of both lists.
func TestLists(t *testing.T) {
	v := viewAfter(30)
	order := func(list, by string) string {
		v.list, v.sort = indexOf(Lists, list), indexOf(Sorts, by)
		names := ""
		for _, i := range v.items() {
			names += " " + i.name
		}
		return names
	}
	for _, tt := range [][3]string{
		{"keys", "rate", " /teams/?gender=M /athletes/?limit=7"}, {"keys", "name", " /athletes/?limit=7 /teams/?gender=M"},
		{"routes", "total", " /teams/ /athletes/"}, {"routes", "name", " /athletes/ /teams/"},
	} {
		if got := order(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s by %s:%s, want%s", tt[0], tt[1], got, tt[2])
		}
	}
}

// TestFleet holds the lines of the shared level and of the members: a member that is behind
// and a level that is away are red.
func TestFleet(t *testing.T) {
	v := viewAfter(30)
	if text := textOf(v, 0); strings.Contains(text, "shared level") || v.fleet() != nil {
		t.Errorf("without a fleet:\n%s", text)
	}
	v.list = indexOf(Lists, "members")
	if text := textOf(v, 0); !strings.HasSuffix(text, "member\n  none") {
		t.Errorf("without a fleet:\n%s", text)
	}
	for i := range v.samples {
		since := v.samples[i].at.Add(-90 * time.Second)
		v.samples[i].stats.Fleet = &api.Fleet{
			Members: []api.Member{
				{Name: "a:8000", Version: "v1", Calculated: "2025-10-27T02:00:00", Health: "down", Behind: &since},
				{Name: "b:8000", Own: true, Version: "v2", Calculated: "2025-10-27T03:00:00", Health: "well"},
			},
			Gone:      []api.GoneMember{{Name: "c:8000", Version: "v2", Calculated: "2025-10-27T03:00:00", Heard: since}},
			Publishes: api.Publishes{Together: 5, Late: 1, Alone: 2, Lost: 3}, Holds: api.Holds{Now: 4, Total: 60, Seconds: 7.25},
			SharedLink: api.SharedLink{State: api.BreakerClosed, Switches: 2}, Latency: api.Latency{P99MS: 1.5},
			SharedTraffic: api.SharedTraffic{Hits: int64(20 * i), Misses: int64(3 * i), Waits: int64(i), Read: int64(i) << 20, Written: int64(i) << 10}, SharedFaults: api.SharedFaults{Errors: 4},
		}
	}
	text := textOf(v, 0)
	for _, want := range []string{
		"fleet        2 members, 1 behind, 1 gone; shared level up, 20.0 hits, 3.0 misses, 1.0 waits a second, p99 1.50 ms\n",
		"shared level 1.0 MiB read, 1.0 KiB written a second; 4 errors and 2 switches since start\n",
		"publishes    5 together, 1 late, 2 alone since start; 3 votes lost; 4 requests wait for one, 60 have for 7.2 s\n",
		"v2         gone         2025-10-27T03:00:00           c:8000, last heard of 1m30s ago",
		"v1         down         2025-10-27T02:00:00 1m30s     a:8000\nv2         well         2025-10-27T03:00:00           b:8000 (this proxy)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if items := v.items(); !items[0].bad || items[1].bad || v.fleet()[0].look != bad {
		t.Errorf("%+v, %+v", items, v.fleet())
	}
	f := v.now().stats.Fleet
	f.Members, f.State = f.Members[1:], api.BreakerClosed
	if l := v.fleet()[0]; l.look != bad || !strings.Contains(l.text, "0 behind, 1 gone") {
		t.Errorf("%+v", l)
	}
	f.Gone, f.State = nil, api.BreakerOpen
	if l := v.fleet()[0]; l.look != bad || !strings.Contains(l.text, "1 member, 0 behind, 0 gone; shared level away") {
		t.Errorf("%+v", l)
	}
}

// TestStates holds the line of state: the gravest condition with its cause, the remedy
// below it, and a proxy that does not answer before all.
func TestStates(t *testing.T) {
	at := time.Date(2025, 10, 27, 2, 13, 0, 0, time.Local)
	down := api.Condition{Level: api.LevelBad, Title: "The database is down", Since: &at, Cause: "connection refused", Visitors: "Old answers.", Remedy: "Start it."}
	stale := api.Condition{Level: api.LevelWarn, Title: "Old entries", Since: &at}
	for name, tt := range map[string]struct {
		conditions []api.Condition
		failed     error
		want       line
		remedy     string
	}{
		"well":         {[]api.Condition{{Level: api.LevelGood, Title: "Well"}}, nil, line{"Well", good}, ""},
		"a warning":    {[]api.Condition{stale}, nil, line{"WARNING: Old entries since 02:13:00", warning}, ""},
		"the gravest":  {[]api.Condition{down, stale}, nil, line{"BAD: The database is down since 02:13:00: connection refused (and 1 more)", bad}, "Old answers. Start it."},
		"no answer":    {[]api.Condition{down}, errors.New("refused"), line{"NO ANSWER since 02:13:00: refused", bad}, ""},
		"an old proxy": {nil, nil, line{"the proxy reports no condition", plain}, ""},
	} {
		v := viewAfter(30)
		v.now().stats.Conditions = tt.conditions
		if tt.failed != nil {
			v.failed = sample{at: at, err: tt.failed}
		}
		if got := v.state(); got != tt.want || v.remedy().text != tt.remedy {
			t.Errorf("%s: %+v, %+v, want %+v, %s", name, got, v.remedy(), tt.want, tt.remedy)
		}
	}
}

// TestLoading holds the list of fills: the oldest first, in any order of the list, and
// red once they are slow.
func TestLoading(t *testing.T) {
	v := viewAfter(30)
	v.list = indexOf(Lists, "loading")
	v.now().stats.Loading = []api.Load{
		{Key: "/teams/?search=ab", Lane: "search", Phase: api.PhaseFilling, Client: "192.0.2.7", AgeMS: 5300, Waiting: 3}, {Key: "/athletes/", Lane: "list", Phase: api.PhaseQueued, AgeMS: 20},
	}
	want := []line{
		{"      5300        3 filling  search     192.0.2.7         /teams/?search=ab", bad},
		{"        20        0 queued   list                         /athletes/", plain},
	}
	lines := v.lines(0)
	if got := lines[len(lines)-2:]; got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v", got)
	}
}

// fake is a proxy that counts its reads; the reads in down fail.
type fake struct {
	reads int
	down  map[int]bool
}

func (f *fake) Stats(context.Context) (api.Stats, error) {
	f.reads++
	if f.down[f.reads] {
		return api.Stats{}, errors.New("refused")
	}
	return figures(f.reads), nil
}

func (f *fake) History(_ context.Context, after int64) (api.History, error) {
	return api.History{Samples: []api.Sample{{At: after + 1, All: api.Flow{P99: 1.5}}}}, nil
}

// TestLines holds the lines for a pipe, also while the proxy does not answer, and the
// single screen of --once.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, out := &fake{down: map[int]bool{3: true}}, &bytes.Buffer{}
		v := newView("here", Options{Interval: time.Second})
		v.add(read(t.Context(), from, nil))
		ctx, stop := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer stop()
		if err := v.print(ctx, from, Options{Interval: time.Second}, out); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 3 || !strings.Contains(lines[0], "  101.0 requests/s, hits 99.0 %, errors 0.0/s, p99 1.50 ms, pool 3 of 8") ||
			!strings.Contains(lines[1], "NO ANSWER since") || !strings.Contains(lines[2], " requests/s") {
			t.Errorf("%s", out)
		}

		out.Reset()
		if err := v.print(t.Context(), from, Options{Interval: time.Second, Once: true}, out); err != nil {
			t.Fatal(err)
		}
		if text := out.String(); strings.Count(text, "\n") < 20 || !strings.HasPrefix(text, "xcri-proxy v1 at here") || strings.Contains(text, keysHelp) {
			t.Errorf("%s", text)
		}
		from.down[from.reads+1] = true
		if err := v.print(t.Context(), from, Options{Interval: time.Second, Once: true}, out); err == nil {
			t.Error("--once ends well without an answer")
		}
	})
}

// TestFlags holds the limits of the flags.
func TestFlags(t *testing.T) {
	well := Options{Interval: time.Second, Sort: "rate", List: "keys"}
	if err := well.Check(); err != nil {
		t.Error(err)
	}
	for flag, f := range map[string]Options{
		"--interval": {Interval: time.Millisecond, Sort: "rate", List: "keys"}, "--sort": {Interval: time.Second, List: "keys"},
		"--list": {Interval: time.Second, Sort: "rate", List: "clients"},
	} {
		if err := f.Check(); err == nil || !strings.HasPrefix(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
	if got := fmt.Sprint(upFor(59), " ", upFor(61), " ", upFor(7300), " ", upFor(90000)); got != "59s 1m 1s 2h 1m 1d 1h" {
		t.Error(got)
	}
}
