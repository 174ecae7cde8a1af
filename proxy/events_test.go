package proxy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEvents: each change that helps an operator to read a chart is an event with its
// time and a text, and a refused change is no event.
func TestEvents(t *testing.T) {
	old := awayLegacy(t)
	began := time.Now()
	p, base := start(t, Options{Origin: &fakeOrigin{}, Legacy: old, Version: "v7"})
	post(t, base, "/cache/purge", `{"route":"/nowhere"}`)
	post(t, base, "/cache/source", `{"source":"nowhere"}`)
	post(t, base, "/cache/maintenance", `{"on":false}`)
	for _, change := range [][2]string{
		{"/cache/purge", `{"path":"/teams/","hard":true}`}, {"/cache/purge", `{"all":true}`},
		{"/cache/source", `{"source":"auto","routes":["/teams/"]}`},
		{"/cache/maintenance", `{"on":true,"message":"New season"}`}, {"/cache/maintenance", `{"on":false}`},
	} {
		if a := post(t, base, change[0], change[1]); a.status != 200 {
			t.Fatalf("%s: %d %s", change, a.status, a.body)
		}
	}
	p.outage.Down(errors.New("connection refused"))
	await(t, "the database is back", func() bool {
		_, cause := p.outage.Since()
		return cause == nil
	})
	var got []string
	last := began
	for _, e := range p.Stats().Events {
		got = append(got, e.Kind+": "+e.Text)
		if e.At.Before(last) || e.At.After(time.Now()) {
			t.Errorf("%+v after %v", e, last)
		}
		last = e.At
	}
	from := 0
	for _, want := range []string{
		"start: the proxy started, version v7", "publish: generation published", "purge: 0 entries purged, path /teams/, hard", "purge: 0 entries purged, all",
		"source: source changed: store, /teams/ from auto", "maintenance: maintenance mode on: New season", "maintenance_end: maintenance mode off",
		"outage: the database is down: connection refused", "back: the database is back",
	} {
		i := slices.IndexFunc(got[from:], func(e string) bool { return strings.HasPrefix(e, want) })
		if i < 0 {
			t.Fatalf("no %q after %d events of\n%s", want, from, strings.Join(got, "\n"))
		}
		from += i + 1
	}
	if text := strings.Join(got, "\n"); strings.Contains(text, "nowhere") || strings.Count(text, "maintenance_end") != 1 {
		t.Errorf("refused changes are events:\n%s", text)
	}
	if a := get(t, base, "/cache/stats"); !strings.Contains(a.body, fmt.Sprintf("%q", got[0][len("start: "):])) {
		t.Error("/cache/stats has no events")
	}
}
