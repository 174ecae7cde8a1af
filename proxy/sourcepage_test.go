package proxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/store"
)

// TestPageShowsSources: the page shows the source of each route's answers and the
// reason for it.
func TestPageShowsSources(t *testing.T) {
	b := openBrowser(t)
	old := oldAPI(t, nil)
	db := newFragile(nil)
	_, base := start(t, Options{Origin: db.fakeOrigin, Legacy: old.client, Sources: origin.Options{Source: origin.FromAuto, RouteSources: map[string]origin.Source{"/athletes/": origin.FromLegacy}}})
	shown := func() (panel struct {
		Text         string
		Routes, Note bool // shown
		Open         []string
		Width        int
	}) {
		b.eval(`readStats().then(() => ({ Text: document.querySelector('[aria-labelledby=sources-title]').innerText,
			Routes: !document.querySelector('#source-routes').hidden, Note: !document.querySelector('#source-note').hidden,
			Open: [...document.querySelectorAll('#breakers .bad')].map(e => e.textContent), Width: document.documentElement.scrollWidth }))`, &panel)
		return panel
	}
	b.open(base + "/cache/")
	b.await("document.querySelector('#state').dataset.state === 'good'")
	p := shown()
	if !p.Routes || p.Note || len(p.Open) > 0 || !strings.Contains(p.Text, "auto") || !strings.Contains(p.Text, "/athletes/") {
		t.Errorf("at first: %+v", p)
	}
	slow := store.ErrTimeout
	db.with.Store(&slow)
	for n := range 2 * minLoads {
		get(t, base, fmt.Sprintf("/teams/?limit=%d", n+1))
	}
	p = shown()
	if len(p.Open) != 1 || p.Open[0] != "open" || !strings.Contains(p.Text, "the store fails, 20 of 20 loads in 60 s (100 %) over 5 %") {
		t.Errorf("after failures: %+v", p)
	}
	for _, width := range []int{1280, 360} {
		b.window(width, 900, "light")
		b.picture(fmt.Sprintf("sources-%d", width))
		if p := shown(); p.Width > width {
			t.Errorf("%d of %d wide", p.Width, width)
		}
	}
	change(t, base, `{"source":"store"}`)
	if p := shown(); p.Routes || !p.Note || len(p.Open) > 0 || !strings.Contains(p.Text, "source --reset") {
		t.Errorf("after a change: %+v", p)
	}
}
