package admin

import (
	"errors"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/store"
)

// TestAlarmsAreEvents holds that the begin and the end of a red state are events, once
// each, and that a yellow state is none.
func TestAlarmsAreEvents(t *testing.T) {
	a := newFixture(t)
	a.opts.Events = &events.List{}
	look := func() { a.noteEvents(a.conditions(time.Now())) }
	a.Wrote("A_FILE", "/nowhere", errors.New("no space"))
	look()
	if all := a.opts.Events.All(); len(all) != 0 {
		t.Errorf("of a file: %+v", all)
	}
	a.opts.Outage.Down(store.ErrUnavailable)
	look()
	look()
	a.opts.Outage.Up()
	look()
	look()
	all := a.opts.Events.All()
	if len(all) != 2 || all[0].Kind != events.Alarm || all[1].Kind != events.AlarmEnd {
		t.Errorf("%+v", all)
	}
}

// TestWrote holds that a file is a condition from its first failure until a success.
func TestWrote(t *testing.T) {
	a := newFixture(t)
	since := func() *time.Time {
		for _, c := range a.conditions(time.Now()) {
			if c.Code == "file" {
				return c.Since
			}
		}
		return nil
	}
	if first := a.Wrote("A_FILE", "/nowhere", errors.New("no space")); !first {
		t.Error("the first failure is not reported")
	}
	began := since()
	if first := a.Wrote("A_FILE", "/nowhere", errors.New("no space")); first || began == nil || !since().Equal(*began) {
		t.Errorf("the second failure: first %t, since %v, before %v", first, since(), began)
	}
	if a.Wrote("A_FILE", "/nowhere", nil) || since() != nil {
		t.Errorf("after a success: since %v", since())
	}
	if level := a.conditions(time.Now())[0].Level; level != api.LevelWarn { // nothing is published yet
		t.Error(level)
	}
}
