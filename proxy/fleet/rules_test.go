package fleet

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache/current"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
	memberlist "github.com/lewistv/xcri-proxy/proxy/fleet/members"
	"github.com/lewistv/xcri-proxy/proxy/fleet/series"
)

// named returns a series without cuts.
func named(text string) *series.Series { return series.Parse(text, nil) }

// TestNamesOfAnswers: everything that decides whether an answer is right is in its name, and
// the names of a key are in one slot of a cluster.
func TestNamesOfAnswers(t *testing.T) {
	f, other := New(Options{Maker: "v1"}), New(Options{Maker: "v2"})
	name := f.name(named("series"), "/key", "g", "data")
	for what, differs := range map[string]string{
		"series": f.name(named("later"), "/key", "g", "data"), "key": f.name(named("series"), "/other", "g", "data"), "generation": f.name(named("series"), "/key", "h", "data"),
		"data": f.name(named("series"), "/key", "g", "more"), "maker": other.name(named("series"), "/key", "g", "data"), "border": f.name(named("series"), "/key", "gd", "ata"),
	} {
		if differs == name {
			t.Errorf("another %s has the same name", what)
		}
	}
	slot := func(name string) string { return name[strings.Index(name, "{"):strings.Index(name, "}")] }
	if slot(name) != slot(f.name(named("later"), "/key", "h", "more")) || name != f.name(named("series"), "/key", "g", "data") || len(digest("a")) != 32 {
		t.Error(name)
	}
}

// TestHeads: the head of a value compares like the worth of its answer: a sure answer is
// worth more than any other, then one of a higher rank.
func TestHeads(t *testing.T) {
	var before string
	for _, h := range [][]byte{head(false, -1), head(false, 1), head(false, 9), head(true, 0), head(true, 5), head(true, 12)} {
		if string(h) <= before || len(h) != headBytes {
			t.Errorf("%q after %q", h, before)
		}
		before = string(h)
	}
	if string(head(false, -1)) != "00" || string(head(true, 12)) != "19" {
		t.Errorf("%q, %q", head(false, -1), head(true, 12))
	}
}

// TestBehind: a member is behind from the moment at which another member is first seen
// with a newer generation, until it has the newest. Members of another format are left out.
func TestBehind(t *testing.T) {
	var m members
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	update := func(now int64, a, b string) {
		m.Update(map[string]memberlist.Heard{
			"1": {Info: []byte(`{"name":"b","calculated_at":"` + b + `"}`)}, "2": {Info: []byte(`{"name":"a","calculated_at":"` + a + `"}`)}, "3": {Info: []byte("garbage")},
			"gone": {Info: []byte(`{"name":"c","calculated_at":"2099-01-01"}`), Gone: true},
		}, "1", at(now))
	}
	check := func(a, b time.Time) {
		t.Helper()
		if len(m.All()) != 2 || m.All()[0].Name != "a" || m.All()[1].Name != "b" || m.All()[0].Own || !m.All()[1].Own || m.All()[0].ID != "2" {
			t.Fatalf("%+v", m.All())
		}
		if !m.All()[0].Behind.Equal(a) || !m.All()[1].Behind.Equal(b) {
			t.Errorf("behind since %v and %v, want %v and %v", m.All()[0].Behind, m.All()[1].Behind, a, b)
		}
	}
	never := time.Time{}
	update(1, "2025-10-20", "2025-10-20")
	check(never, never)
	update(2, "2025-10-20", "2025-10-21")
	check(at(2), never)
	update(3, "2025-10-20", "2025-10-22")
	check(at(2), never)
	update(4, "2025-10-23", "2025-10-22")
	check(never, at(4))
	update(5, "2025-10-23", "2025-10-23")
	check(never, never)
	update(6, "2025-10-23", "2025-10-24")
	check(at(6), never)
}

// TestLinkChanges: the link's state begins with the first attempt to connect. Each change is
// logged once, and each opening of the circuit breaker is counted.
func TestLinkChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := New(Options{Engine: &stub{}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if s := f.Stats().LinkState; s != (LinkState{}) {
			t.Errorf("%+v", s)
		}
		var since time.Time
		for i, step := range []struct {
			up     bool
			cause  error
			lines  int
			opened int64
			moves  bool // the time of the last change
		}{
			{false, errors.New("first"), 1, 0, true},
			{false, errors.New("second"), 0, 0, false},
			{true, nil, 1, 0, true},
			{false, errors.New("third"), 1, 1, true},
			{false, errors.New("fourth"), 0, 1, false},
			{true, nil, 1, 1, true},
			{false, nil, 1, 2, true},
		} {
			time.Sleep(time.Second)
			log.Reset()
			f.note(step.up, step.cause)
			if step.moves {
				since = time.Now()
			}
			reason := ""
			if step.cause != nil {
				reason = step.cause.Error()
			}
			if s := f.Stats().LinkState; s != (LinkState{Up: step.up, Since: since, Reason: reason, Opened: step.opened}) || strings.Count(log.String(), "\n") != step.lines {
				t.Errorf("step %d: %+v, log %q", i, s, log.String())
			}
		}
		select {
		case <-f.link.tried:
		default:
			t.Error("the first attempt has not ended")
		}
	})
}

// TestReady: a new member waits for its first attempt to connect, for half a second at most.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(Options{Engine: &stub{}})
		begun := time.Now()
		if f.Ready(t.Context()); time.Since(begun) != 500*time.Millisecond {
			t.Errorf("%v", time.Since(begun))
		}
		f.note(false, errors.New("no way"))
		begun = time.Now()
		if f.Ready(t.Context()); time.Since(begun) != 0 {
			t.Errorf("%v after the first attempt", time.Since(begun))
		}
	})
}

// TestReportOfALevelAway: a member whose link is down reports itself alone, and the state of
// the circuit breaker. Without a fleet there is no report.
func TestReportOfALevelAway(t *testing.T) {
	f := New(Options{Engine: &stub{}, Info: func() Info {
		return Info{Name: "me", Version: "v", Generation: "g", Calculated: "c", Health: "ok"}
	}})
	f.note(false, errors.New("no way"))
	f.figures.hits.Add(1)
	f.figures.misses.Add(2)
	f.figures.waited.Add(3)
	f.figures.skipped.Add(4)
	f.figures.puts.Add(5)
	f.figures.read.Add(6)
	f.figures.written.Add(7)
	f.figures.errors.Add(8)
	f.figures.damaged.Add(9)
	f.figures.full.Add(10)
	f.figures.oversized.Add(11)
	f.figures.latency.Record(time.Second)
	f.rounds.Agree(t.Context(), agree.Decision{Name: "g"}, "")
	r := f.Report(current.Holds{Now: 1, Total: 2, Time: 3 * time.Second})
	if len(r.Members) != 1 || r.Members[0] != (api.Member{Name: "me", Own: true, Version: "v", Generation: "g", Calculated: "c", Health: "ok"}) {
		t.Errorf("%+v", r.Members)
	}
	if r.State != api.BreakerOpen || r.Reason != "no way" || r.Since == nil {
		t.Errorf("%+v", r.SharedLink)
	}
	if r.SharedTraffic != (api.SharedTraffic{Hits: 1, Misses: 2, Waits: 3, Skipped: 4, Puts: 5, Read: 6, Written: 7}) {
		t.Errorf("%+v", r.SharedTraffic)
	}
	if r.SharedFaults != (api.SharedFaults{Errors: 8, Damaged: 9, Full: 10, Oversized: 11}) || r.Latency.Count != 1 || r.Latency.P50MS == 0 || f.Stats().Total != 1 {
		t.Errorf("%+v, %+v", r.SharedFaults, r.Latency)
	}
	if r.Publishes != (api.Publishes{Alone: 1}) || r.Holds != (api.Holds{Now: 1, Total: 2, Seconds: 3}) || len(r.Gone) != 0 {
		t.Errorf("%+v, %+v, %+v", r.Publishes, r.Holds, r.Gone)
	}
	f.note(true, nil)
	if r := f.Report(current.Holds{}); r.State != api.BreakerClosed {
		t.Errorf("%+v", r.SharedLink)
	}
	var none *Fleet
	if none.Report(current.Holds{}) != nil {
		t.Error("a report of no fleet")
	}
}
