package lasting

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet/actions"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

var noon = time.Date(2025, 11, 1, 12, 0, 0, 0, time.UTC)

// did returns an action that was done some minutes after noon.
func did(kind, data string, minutes int) actions.Action {
	return actions.Action{Kind: kind, Data: []byte(data), By: "another", At: noon.Add(time.Duration(minutes) * time.Minute)}
}

// TestParts: a change of sources changes the routes that it names, in any spelling, or all.
func TestParts(t *testing.T) {
	parts := Parts(route.NewRouter(store.Endpoints(), ""))
	for change, want := range map[string][]string{
		`{"source":"legacy"}`: nil, `{"reset":true}`: nil, `garbage`: nil, `{"source":"legacy","routes":[]}`: nil,
		`{"source":"legacy","routes":["/teams","/athletes/","/nowhere/"]}`: {"/teams/", "/athletes/", "/nowhere/"},
	} {
		if got := parts([]byte(change)); !slices.Equal(got, want) {
			t.Errorf("%s: %q", change, got)
		}
	}
}

// TestSources: each change replaces the sources of its routes, and of all routes if it names none.
func TestSources(t *testing.T) {
	routes := route.NewRouter(store.Endpoints(), "")
	var all []actions.Action
	for i, step := range []struct {
		kind, change string
		want         map[string]string
	}{
		{actions.Source, `{"source":"legacy","routes":["/teams"]}`, map[string]string{"/teams/": "legacy"}},
		{actions.Maintenance, `{"on":true}`, map[string]string{"/teams/": "legacy"}},
		{actions.Source, `garbage`, map[string]string{"/teams/": "legacy"}},
		{actions.Source, `{"source":"auto"}`, map[string]string{"": "auto"}},
		{actions.Source, `{"source":"store","routes":["/teams/","/athletes/"]}`, map[string]string{"": "auto", "/teams/": "store", "/athletes/": "store"}},
		{actions.Source, `{"source":"legacy","routes":["/teams/"]}`, map[string]string{"": "auto", "/teams/": "legacy", "/athletes/": "store"}},
		{actions.Source, `{"reset":true}`, map[string]string{}},
	} {
		all = append(all, did(step.kind, step.change, i))
		if got := Sources(all, routes); !maps.Equal(got, step.want) {
			t.Errorf("%s: %v, want %v", step.change, got, step.want)
		}
	}
}

// TestMaintenance: the last action counts, as of its time.
func TestMaintenance(t *testing.T) {
	if p, err := Maintenance([]actions.Action{did(actions.Source, `{"reset":true}`, 0)}); p != nil || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
	until := `{"on":true,"until":"2025-11-01T13:00:00Z","message":"soon"}`
	p, err := Maintenance([]actions.Action{did(actions.Maintenance, `{"on":false}`, 0), did(actions.Maintenance, until, 59), did(actions.Source, `{}`, 60)})
	if err != nil || p == nil || p.Message != "soon" || !p.Since.Equal(noon.Add(59*time.Minute)) || !p.Until.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, wrong := range []actions.Action{did(actions.Maintenance, until, 60), did(actions.Maintenance, `{}`, 0), did(actions.Maintenance, `garbage`, 0), did(actions.Maintenance, `{"on":false,"message":"x"}`, 0)} {
		if p, err := Maintenance([]actions.Action{did(actions.Maintenance, `{"on":true}`, 0), wrong}); err == nil || p != nil {
			t.Errorf("%s: %+v, %v", wrong.Data, p, err)
		}
	}
}

// TestUnchanged: periods are compared by their announcements.
func TestUnchanged(t *testing.T) {
	hour, local := noon.Add(time.Hour), noon.Add(time.Hour).In(time.FixedZone("", 3600))
	other := hour.Add(1)
	period := func(until *time.Time, message string) *maintenance.Period {
		return &maintenance.Period{Until: until, Message: message}
	}
	for _, tt := range []struct {
		a, b *maintenance.Period
		want bool
	}{
		{nil, nil, true}, {nil, period(nil, ""), false}, {period(nil, "x"), period(nil, "x"), true}, {period(nil, "x"), period(nil, ""), false},
		{period(&hour, ""), period(&local, ""), true}, {period(&hour, ""), period(&other, ""), false}, {period(&hour, ""), period(nil, ""), false},
	} {
		if Unchanged(tt.a, tt.b) != tt.want || Unchanged(tt.b, tt.a) != tt.want {
			t.Errorf("%+v and %+v: %t", tt.a, tt.b, !tt.want)
		}
	}
}

// TestOf: the state that an earlier version has saved follows from the result of Of, in which the
// source of all routes precedes the sources of single routes.
func TestOf(t *testing.T) {
	until := noon.Add(time.Hour)
	period := &maintenance.Period{Since: noon, Until: &until, Message: `"x"`}
	sources := map[string]string{"/teams/": "legacy", "": "auto", "/athletes/": "store"}
	all := Of(period, sources)
	if got := Sources(all, route.NewRouter(store.Endpoints(), "")); !maps.Equal(got, sources) {
		t.Errorf("%v", got)
	}
	if p, err := Maintenance(all); err != nil || !reflect.DeepEqual(p, period) {
		t.Errorf("%+v, %v", p, err)
	}
	for i, a := range all[:3] {
		if !a.At.Before(noon.AddDate(-10, 0, 0)) || i > 0 && !a.At.After(all[i-1].At) {
			t.Errorf("%+v", all)
		}
	}
	if all := Of(nil, nil); all != nil {
		t.Errorf("%+v", all)
	}
}

// TestSettle: a state that holds already is neither set nor reported. A source that is not
// possible is reported, and does not keep the others from their effect.
func TestSettle(t *testing.T) {
	routes := route.NewRouter(store.Endpoints(), "")
	old, err := legacy.New(legacy.Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	origins, err := origin.New(origin.Options{Routes: routes, Legacy: old, Outage: cache.NewOutage(nil)})
	if err != nil {
		t.Fatal(err)
	}
	var done []string
	full := errors.New("the disk is full")
	f := Follower{
		Routes: routes, Origins: origins, Mode: maintenance.New(maintenance.Options{}),
		Moved: func(routes []*route.Route, by string) error {
			done = append(done, fmt.Sprint(len(routes), " moved by ", by))
			return full
		},
		Report: func(a actions.Action, unkept, err error) {
			text := a.Kind + " done"
			if unkept != nil {
				text = a.Kind + ": " + unkept.Error()
			}
			if err != nil {
				text = a.Kind + ": " + strings.ReplaceAll(err.Error(), "\n", "; ")
			}
			done = append(done, text)
		},
	}
	f.Set = func(p *maintenance.Period, by string) error {
		done = append(done, fmt.Sprint("on ", p != nil, " by ", by))
		return f.Mode.Set(p)
	}
	teams, both := did(actions.Source, `{"source":"legacy","routes":["/teams/"]}`, 0), did(actions.Source, `{"source":"legacy","routes":["/athletes/","/nowhere/"]}`, 1)
	on, off := did(actions.Maintenance, `{"on":true}`, 2), did(actions.Maintenance, `{"on":false}`, 3)
	for _, step := range []struct {
		all, news []actions.Action
		want      string
	}{
		{[]actions.Action{off}, []actions.Action{off}, ""},
		{[]actions.Action{teams, on}, []actions.Action{teams}, "1 moved by another, source: the disk is full"},
		{[]actions.Action{teams, on}, []actions.Action{teams, on}, "on true by another, maintenance done"},
		{[]actions.Action{teams, on}, []actions.Action{on}, ""},
		{[]actions.Action{teams, both, on}, []actions.Action{both}, `1 moved by another, source: route "/nowhere/": `},
		{[]actions.Action{both, off}, []actions.Action{off}, "on false by another, maintenance done"},
		{[]actions.Action{did(actions.Maintenance, `{}`, 4)}, []actions.Action{did(actions.Maintenance, `{}`, 4)}, "maintenance: on: true or false is wanted"},
	} {
		done = nil
		f.Settle(step.all, step.news)
		if got := strings.Join(done, ", "); !strings.HasPrefix(got, step.want) || step.want == "" && got != "" {
			t.Errorf("news %v: %q, want %q", step.news, got, step.want)
		}
	}
	if got := origins.Overrides(); !maps.Equal(got, map[string]string{"/teams/": "legacy", "/athletes/": "legacy"}) {
		t.Errorf("%v", got)
	}
}
