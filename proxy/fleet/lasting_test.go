package fleet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/actions"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
)

// kept is the state that a member keeps over its restarts. Its settings are the sources, by route, and
// maintenance mode; the empty route stands for all.
type kept struct {
	actions.Kept
	settings map[string]string
	settled  []string // changes of other members that were shown to operators
	unkept   error    // of saves
}

// change is a change of one setting, which is the data of an action.
type change struct{ Route, To string }

func (k *kept) set(kind string, c change) {
	switch {
	case kind == fleet.Maintenance:
		k.settings["mode"] = c.To
	case c.Route == "":
		maps.DeleteFunc(k.settings, func(name, _ string) bool { return name != "mode" })
		k.settings["/"] = c.To
	default:
		k.settings[c.Route] = c.To
	}
}

// settle has the settings follow from actions.
func (k *kept) settle(all, _ []fleet.Action) {
	before := maps.Clone(k.settings)
	clear(k.settings)
	for _, a := range all {
		var c change
		json.Unmarshal(a.Data, &c)
		k.set(a.Kind, c)
	}
	if !maps.Equal(before, k.settings) {
		k.settled = append(k.settled, k.text())
	}
}

func (k *kept) text() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(k.settings)) {
		all = append(all, name+"="+k.settings[name])
	}
	return strings.Join(all, " ")
}

// lasting returns the options of a member that begins with this state.
func (k *kept) lasting(m *member) actions.Lasting {
	if k.settings == nil {
		k.settings = map[string]string{}
	}
	return actions.Lasting{
		Parts: func(data json.RawMessage) []string {
			var c change
			if json.Unmarshal(data, &c) != nil || c.Route == "" {
				return nil
			}
			return []string{c.Route}
		},
		Settle: func(all, news []fleet.Action) { m.set(func(*member) { k.settle(all, news) }) },
		Kept:   k.Kept,
		Keep: func(now actions.Kept) (err error) {
			m.set(func(*member) {
				if err = k.unkept; err == nil {
					text, _ := json.MarshalIndent(now, "", "  ") // as a file
					k.Kept = actions.Kept{}
					err = json.Unmarshal(text, &k.Kept)
				}
			})
			return err
		},
	}
}

// started returns a member that continues with this state.
func (k *kept) started(t *testing.T, s *fleettest.Server, name string) *member {
	t.Helper()
	m := newMember(t, s, name, k)
	synctest.Wait()
	return m
}

// change makes a change on a member, as an operator does.
func (k *kept) change(t *testing.T, m *member, kind string, c change, alone bool) (away error) {
	t.Helper()
	act := m.Act
	if alone {
		act = m.ActAlone
	}
	refused, away := act(kind, c, kind == fleet.Source, func() error { m.set(func(*member) { k.set(kind, c) }); return nil })
	if refused != nil {
		t.Error(refused)
	}
	synctest.Wait()
	return away
}

// settings holds the settings of members.
func settings(t *testing.T, want string, all ...*kept) {
	t.Helper()
	time.Sleep(10 * time.Second)
	synctest.Wait()
	for i, k := range all {
		if got := k.text(); got != want {
			t.Errorf("member %d: %q, want %q", i, got, want)
		}
	}
}

// TestLocalChangeStays: a change of one member alone, after a change of the fleet, holds after
// the member's restart, and until a later change of the fleet.
func TestLocalChangeStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		var ka, kb kept
		a, b := ka.started(t, s, "a"), kb.started(t, s, "b")
		ka.change(t, a, fleet.Maintenance, change{To: "on"}, false)
		ka.change(t, a, fleet.Source, change{"/teams/", "legacy"}, false)
		ka.change(t, a, fleet.Source, change{"/athletes/", "legacy"}, false)
		settings(t, "/athletes/=legacy /teams/=legacy mode=on", &ka, &kb)
		kb.change(t, b, fleet.Maintenance, change{To: "off"}, true)
		kb.change(t, b, fleet.Source, change{"/teams/", "store"}, true)
		for range 2 {
			b.stop()
			b = kb.started(t, s, "b")
			settings(t, "/athletes/=legacy /teams/=store mode=off", &kb)
			settings(t, "/athletes/=legacy /teams/=legacy mode=on", &ka)
		}
		if len(kb.settled) != 3 {
			t.Errorf("shown to operators: %q", kb.settled)
		}
		var kc kept
		kc.started(t, s, "c")
		settings(t, "/athletes/=legacy /teams/=legacy mode=on", &ka, &kc)
		ka.change(t, a, fleet.Source, change{"", "auto"}, false)
		settings(t, "/=auto mode=off", &kb)
		ka.change(t, a, fleet.Maintenance, change{To: "again"}, false)
		settings(t, "/=auto mode=again", &ka, &kb, &kc)
		if n := len(kb.Local); n != 0 {
			t.Errorf("%d local actions are left: %+v", n, kb.Local)
		}
	})
}

// TestPendingActionsAreKept: actions that a member did while the level was away reach the fleet
// after its restart. Another member's later change holds, in any order of their returns.
func TestPendingActionsAreKept(t *testing.T) {
	for _, first := range []string{"a", "b"} {
		synctest.Test(t, func(t *testing.T) {
			s := fleettest.NewServer()
			var ka, kb kept
			a, b := ka.started(t, s, "a"), kb.started(t, s, "b")
			a.fetch(t, "1", "/teams/", "before")
			s.Fail(fleettest.Down)
			time.Sleep(time.Second)
			for _, c := range []struct {
				k    *kept
				m    *member
				kind string
				change
			}{
				{&ka, a, fleet.Source, change{"/teams/", "legacy"}}, {&ka, a, fleet.Maintenance, change{To: "on"}},
				{&kb, b, fleet.Maintenance, change{To: "off"}}, {&kb, b, fleet.Source, change{"/athletes/", "legacy"}},
			} {
				if away := c.k.change(t, c.m, c.kind, c.change, false); !errors.Is(away, actions.ErrAway) {
					t.Error(away)
				}
				time.Sleep(time.Minute)
			}
			a.Act(fleet.Purge, "/teams/", true, nothing)
			a.stop()
			b.stop()
			s.Fail(fleettest.Works)
			start := map[string]func(){"a": func() { a = ka.started(t, s, "a") }, "b": func() { b = kb.started(t, s, "b") }}
			start[first]()
			time.Sleep(10 * time.Second)
			for name, start := range start {
				if name != first {
					start()
				}
			}
			settings(t, "/athletes/=legacy /teams/=legacy mode=off", &ka, &kb)
			if got := b.fetch(t, "1", "/teams/", "after"); got != "after" {
				t.Errorf("a purged answer is used: %q", got)
			}
			purged := append(b.done(), a.done()...)
			for _, a := range slices.Concat(a.missed, b.missed) {
				purged = append(purged, a.Kind+string(a.Data))
			}
			if !slices.Contains(purged, `purge"/teams/"`) || len(ka.Pending)+len(kb.Pending) != 0 {
				t.Errorf("purged %q, pending %+v, %+v", purged, ka.Pending, kb.Pending)
			}
		})
	}
}

// TestUnkept: an action that neither reaches the fleet nor can be kept is reported, and is kept
// once this is possible.
func TestUnkept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		ka := kept{unkept: errors.New("the disk is full")}
		a := ka.started(t, s, "a")
		if away := ka.change(t, a, fleet.Maintenance, change{To: "on"}, false); away != nil {
			t.Error(away)
		}
		s.Fail(fleettest.Down)
		time.Sleep(time.Second)
		if _, away := a.Act(fleet.Purge, 1, true, nothing); !errors.Is(away, actions.ErrAway) || !errors.Is(away, ka.unkept) {
			t.Error(away)
		}
		a.set(func(*member) { ka.unkept = nil })
		s.Fail(fleettest.Works)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(ka.Lasting) != 1 || len(ka.Pending) != 0 {
			t.Errorf("%+v", ka.Kept)
		}
	})
}

// TestStateOutlivesTheLevel: a new member, and a member that was stopped, learn the sources and
// maintenance mode also if the level has lost everything or the log holds none of the actions,
// and any members begin the log, also several. A state that holds is not shown as new.
func TestStateOutlivesTheLevel(t *testing.T) {
	lost := map[string]func(*fleettest.Server){
		"flushed": func(s *fleettest.Server) { s.Flush() },
		"trimmed": func(s *fleettest.Server) { s.Trim(1) },
		"both":    func(s *fleettest.Server) { s.Trim(1); s.Flush() },
	}
	for name, lose := range lost {
		for _, begins := range []string{"connected", "older", "new", "all", "none kept"} {
			t.Run(name+", "+begins, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := fleettest.NewServer()
					var ka, kb, kc kept
					a, b := ka.started(t, s, "a"), kb.started(t, s, "b")
					ka.change(t, a, fleet.Maintenance, change{To: "on"}, false)
					ka.change(t, a, fleet.Source, change{"/teams/", "auto"}, false)
					b.stop() // it knows the older state
					ka.change(t, a, fleet.Source, change{"/teams/", "legacy"}, false)
					ka.change(t, a, fleet.Maintenance, change{To: "off"}, false)
					ka.change(t, a, fleet.Source, change{"/athletes/", "legacy"}, false)
					a.Act(fleet.Purge, 1, true, nothing)
					const want = "/athletes/=legacy /teams/=legacy mode=off"
					if begins != "connected" {
						a.stop()
					}
					lose(s)
					switch begins {
					case "connected":
						time.Sleep(10 * time.Second)
						b = kb.started(t, s, "b")
					case "older":
						b = kb.started(t, s, "b")
						time.Sleep(10 * time.Second)
						a.again(t)
					case "new":
						kc.started(t, s, "c")
						a.again(t)
						b = kb.started(t, s, "b")
					case "all":
						s.Fail(fleettest.Down)
						a.run(t)
						b = kb.started(t, s, "b")
						kc.started(t, s, "c")
						s.Fail(fleettest.Works)
					case "none kept":
						kb = kept{}
						b = kb.started(t, s, "b")
						a.again(t)
					}
					if kc.settings == nil {
						time.Sleep(10 * time.Second)
						kc.started(t, s, "c")
					}
					settings(t, want, &ka, &kb, &kc)
					if len(ka.settled) != 0 {
						t.Errorf("shown as new to its operator: %q", ka.settled)
					}
					shown := len(kb.settled)
					b.stop()
					kb.started(t, s, "b")
					settings(t, want, &ka, &kb, &kc)
					if len(kb.settled) != shown {
						t.Errorf("shown again after a restart: %q", kb.settled)
					}
					before := s.Operations()
					time.Sleep(time.Minute)
					if n := s.Operations() - before; n > 4*3*61 {
						t.Errorf("%d operations in a minute without a change", n)
					}
				})
			})
		}
	}
}

// TestClocks: of two changes of which neither member knew the other's, the change with the later
// time by its member's clock holds on all members. A change holds over all changes that its
// member knew, although its clock is behind.
func TestClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		ahead := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
		ka := kept{Kept: actions.Kept{Lasting: []fleet.Action{{Kind: fleet.Maintenance, Data: json.RawMessage(`{"To":"on"}`), By: "another", At: ahead}}}}
		var kb kept
		ka.settings = map[string]string{"mode": "on"}
		a, b := ka.started(t, s, "a"), kb.started(t, s, "b")
		settings(t, "mode=on", &ka, &kb)
		kb.change(t, b, fleet.Maintenance, change{To: "off"}, false)
		settings(t, "mode=off", &ka, &kb)
		if at := kb.Lasting[0].At; !at.Equal(ahead.Add(time.Millisecond)) {
			t.Errorf("made at %s, want a time after %s", at, ahead)
		}
		for i := range 3 {
			ka.change(t, a, fleet.Maintenance, change{To: fmt.Sprint(i)}, false)
		}
		settings(t, "mode=2", &ka, &kb)
	})
}

// TestForeignState: lasting actions in the level that are not understood, or that an earlier
// version has left in the log alone, cost no member its state.
func TestForeignState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		var ka, kb kept
		a := ka.started(t, s, "a")
		e, ctx := s.Engine(), t.Context()
		at, err := e.Sync(ctx, "series", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Append(ctx, []byte(`{"kind":"maintenance","data":{"To":"on"},"by":"old"}`), fleet.Texts{}, fleet.Texts{}); err != nil {
			t.Fatal(err)
		}
		settings(t, "mode=on", &ka)
		if s.Lasting() == "" {
			t.Error("the action of an earlier version is not in the state of the fleet")
		}
		for _, garbage := range []string{"garbage", `[{"kind":"purge"},{"kind":"source","at":"9999-12-31T23:59:59Z","data":{"To":"legacy"}},{"kind":"source","data":{}}]`, "[]", "{}"} {
			if _, err := e.Append(ctx, []byte("garbage"), fleet.Texts{Lasting: s.Lasting()}, fleet.Texts{Lasting: garbage}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if got := s.Lasting(); !strings.Contains(got, `"by":"old"`) {
				t.Errorf("%s: %s", garbage, got)
			}
		}
		kb.started(t, s, "b")
		settings(t, ka.text(), &kb)
		if ka.settings["mode"] != "on" || at.Lasting != "" {
			t.Errorf("%q, %+v", ka.text(), at)
		}
		ka.change(t, a, fleet.Source, change{"", "store"}, false)
		settings(t, "/=store mode=on", &ka, &kb)
	})
}
