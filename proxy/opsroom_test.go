package proxy

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/stores"
)

// axe is the path of the script axe.min.js of the package axe-core, which finds faults in
// the accessibility of a page. Without it the checks are skipped, but not in CI.
func axe(t *testing.T) (script string) {
	t.Helper()
	path := os.Getenv("AXE_CORE")
	switch text, err := os.ReadFile(path); {
	case err == nil:
		return string(text)
	case os.Getenv("CI") == "true":
		t.Fatalf("AXE_CORE: %v; .ci/run sets it", err)
	}
	return ""
}

// checkAccess runs axe on a part of the page, and fails for each violation.
func checkAccess(t *testing.T, b *browser, script, name, part string) {
	t.Helper()
	if script == "" {
		return
	}
	var loaded bool
	if b.eval("'axe' in window", &loaded); !loaded {
		b.eval(script+"; 0", nil)
	}
	var found []struct {
		ID, Help string
		Nodes    []struct{ HTML, FailureSummary string }
	}
	b.eval(`axe.run('`+part+`', {iframes: false, resultTypes: ['violations']}).then(r => r.violations)`, &found)
	for _, v := range found {
		t.Errorf("%s: %s: %s, %d times, such as\n%s\n%s", name, v.ID, v.Help, len(v.Nodes), v.Nodes[0].HTML, v.Nodes[0].FailureSummary)
	}
}

// look checks the page at a screen's and a phone's size, in light and dark colours: nothing
// is wider than the window, and axe finds nothing.
func look(t *testing.T, b *browser, script, name string) {
	t.Helper()
	for _, size := range []struct {
		width, height int
		scheme        string
	}{{1280, 900, "dark"}, {360, 740, "light"}, {1280, 900, "light"}} {
		b.window(size.width, size.height, size.scheme)
		view := fmt.Sprintf("%s-%d-%s", name, size.width, size.scheme)
		var wide int
		if b.eval("document.documentElement.scrollWidth", &wide); wide > size.width {
			t.Errorf("%s: %d wide", view, wide)
		}
		if size.width > 360 && (size.scheme == "light" || name == "outage") { // the others have the same elements and colours
			checkAccess(t, b, script, view, "html")
		}
		checkPicture(t, view, b.picture(view))
	}
}

// firstScreen returns the text that an operator sees without scrolling.
func firstScreen(b *browser) (text string) {
	b.eval(`[...document.querySelectorAll('header > *, #now h2, #now .since, #now dd, #tiles .tile')]
		.filter(e => e.getBoundingClientRect().top >= 0 && e.getBoundingClientRect().bottom <= innerHeight).map(e => e.innerText).join('\n')`, &text)
	return text
}

// expectState waits for a state, and checks the words on the first screen of a desktop.
func expectState(t *testing.T, b *browser, state string, words ...string) {
	t.Helper()
	b.await(fmt.Sprintf(`document.querySelector('#state').innerText.startsWith(%q)`, state))
	for deadline := time.Now().Add(soon); ; time.Sleep(20 * time.Millisecond) {
		text := firstScreen(b)
		missing := ""
		for _, word := range words {
			if !strings.Contains(text, word) {
				missing = word
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: the first screen does not say %q:\n%s", state, missing, text)
		}
	}
}

// waitingTile is the state of the tile of the waiting requests.
const waitingTile = `document.querySelectorAll('#tiles .tile')[4].dataset.state`

// TestOpsRoom plays incidents with a real database and a real browser: for each, the
// first screen of the ops room names the effect on visitors, the cause, and the remedy.
func TestOpsRoom(t *testing.T) {
	script := axe(t)
	b := openBrowser(t)
	t.Run("healthy", func(t *testing.T) {
		p, base := start(t, realOptions(t))
		hourOfLoad(p)
		b.open(base + "/cache/")
		expectState(t, b, "Well", "figures of now", "Requests, 5 min", "Memory")
		b.await(`document.querySelectorAll('#charts .event').length > 0 && document.querySelectorAll('#events li').length >= 2`)
		look(t, b, script, "healthy")
	})
	t.Run("outage", func(t *testing.T) { playOutage(t, b, script) })
	t.Run("lock", func(t *testing.T) { playLock(t, b, script) })
	t.Run("flood", func(t *testing.T) { playFlood(t, b, script) })
	t.Run("maintenance", func(t *testing.T) { playMaintenance(t, b, script) })
	t.Run("fleet", func(t *testing.T) { playFleet(t, b, script) })
	t.Run("held", func(t *testing.T) { playHeld(t, b) })
	t.Run("without scripts", func(t *testing.T) { playWithoutScripts(t, b) })
}

func playOutage(t *testing.T, b *browser, script string) {
	way, s := stores.ThroughRelay(t, stores.Options(t))
	p, base := start(t, Options{Origin: s, Generations: generation.Options{Interval: shortPoll}})
	b.open(base + "/cache/")
	expectState(t, b, "Well")
	way.Close()
	expectState(t, b, "Database down", "since", "The database does not answer", "Cached pages are served as they are", "Start or repair the database server")
	for i := range 30 {
		get(t, base, fmt.Sprintf("/athletes/?limit=%d", 1+i))
	}
	expectState(t, b, "Visitors get errors", "30 of 30 answers of the last minute were errors", "The database does not answer", "Start or repair")
	b.await(`document.querySelector('#others').innerText.includes('Database down')`)
	b.await(`document.querySelector('#events').innerText.includes('Outage')`)
	p.admin.Sample(time.Now())
	look(t, b, script, "outage")
}

func playLock(t *testing.T, b *browser, script string) {
	p, base, waiting, unlock := lockedTable(t, readapi.TeamTable)
	defer unlock()
	b.open(base + "/cache/")
	expectState(t, b, "Well")
	for i := range 86 {
		request(t, base, fmt.Sprintf("/teams/?limit=%d", 1+i))
	}
	await(t, "loads wait for the lock", func() bool { return waiting() > 0 && p.cache.Stats().Waiting == 86 })
	expectState(t, b, "Visitors wait", "86 requests wait for the database now", readapi.TeamTable, "while the database answers polls: the table is locked", "SHOW FULL PROCESSLIST", "86")
	b.await(waitingTile + " === 'bad'")
	var phases string
	b.eval(`document.querySelector('#loading').innerText`, &phases)
	if !strings.Contains(phases, "query") || !strings.Contains(phases, "queued") || !strings.Contains(phases, "/teams/?") {
		t.Errorf("loading now: %s", phases)
	}
	look(t, b, script, "lock")
	unlock()
	await(t, "the requests are answered", func() bool { return p.cache.Stats().Waiting == 0 })
}

func playFlood(t *testing.T, b *browser, script string) {
	p, base, waiting, unlock := lockedTable(t, readapi.AthleteTable) // so that a search takes as long as the test
	defer unlock()
	b.open(base + "/cache/")
	for i := range 16 {
		request(t, base, fmt.Sprintf("/athletes/?season_year=2025&search=%%25a%%25&limit=%d", 1+i), "X-Forwarded-For: 192.0.2.7\r\n")
	}
	await(t, "the searches wait", func() bool { return waiting() > 0 && p.cache.Stats().Waiting == 16 })
	for i := range 20 {
		if a := get(t, base, fmt.Sprintf("/athletes/?season_year=2025&search=ab&limit=%d", 1+i), "X-Forwarded-For", "192.0.2.7"); a.status != 429 {
			t.Errorf("status %d", a.status)
		}
	}
	expectState(t, b, "One client floods the service", "16 of the 16 waiting requests come from 192.0.2.7", "20 requests of the last minute got a 429", "Other visitors are served", "Require not ip 192.0.2.7")
	b.await(waitingTile + " === 'warn'") // as the state
	look(t, b, script, "flood")
}

func playMaintenance(t *testing.T, b *browser, script string) {
	opts := realOptions(t)
	opts.OnState = func(State) error { return nil }
	p, base := start(t, opts)
	b.open(base + "/cache/")
	expectState(t, b, "Well")
	before := len(b.complaints()) // of pages whose proxy has ended
	b.click("#maintain")
	b.await(`document.querySelector('#maintenance-ask').open`)
	b.eval(`new Promise(loaded => { document.querySelector('#preview').addEventListener('load', () => {
		if (document.querySelector('#preview').src.includes('new')) loaded(0) });
		const m = document.querySelector('#message'); m.value = 'We import the <new> season.';
		m.dispatchEvent(new Event('input', {bubbles: true})); m.dispatchEvent(new Event('change', {bubbles: true})) })`, nil)
	checkAccess(t, b, script, "maintenance dialog", "#maintenance-ask")
	b.click("#maintenance-on")
	b.await(`!document.querySelector('#maintenance-ask .sure').hidden`)
	if p.maintenance.On() {
		t.Error("on without a confirmation")
	}
	b.picture("maintenance-dialog")
	b.click("#maintenance-on")
	expectState(t, b, "Maintenance mode is on", "An operator turned it on", "The page says: “We import the <new> season.”", "xcri-proxy maintenance off")
	if !p.maintenance.On() || p.Maintenance().Message != "We import the <new> season." {
		t.Errorf("%+v", p.Maintenance())
	}
	look(t, b, script, "maintenance")
	b.click("#maintain")
	b.await(`document.querySelector('#message').value.includes('season') && !document.querySelector('#maintenance-off').hidden`)
	b.click("#maintenance-off")
	await(t, "maintenance mode is off", func() bool { return !p.maintenance.On() })
	expectState(t, b, "Well")

	preview := get(t, base, "/cache/maintenance/preview?message=%3Cb%3Ex")
	policy := preview.header.Get("Content-Security-Policy")
	if preview.status != 200 || !strings.Contains(preview.body, "&lt;b&gt;x") || !strings.Contains(policy, "frame-ancestors 'self'") || preview.header.Get("X-Frame-Options") != "SAMEORIGIN" {
		t.Errorf("%d %v", preview.status, preview.header)
	}
	if a := get(t, base, "/cache/maintenance/preview?until=yesterday"); a.status != 422 {
		t.Errorf("a wrong time: %d", a.status)
	}
	if a := get(t, base, "/cache/maintenance/preview", "X-Forwarded-For", "192.0.2.1"); a.status != 403 {
		t.Errorf("a visitor: %d", a.status)
	}

	b.click("#source")
	b.click("[value=legacy]")
	b.click("#source-yes")
	b.await(`!document.querySelector('#source-ask .sure').hidden`)
	checkAccess(t, b, script, "source dialog", "#source-ask")
	b.click("#source-yes")
	b.await(`document.querySelector('#source-ask .wrong').innerText.includes('no old API')`)
	b.click("[value=store]")
	b.click("#source-yes")
	b.await(`document.querySelector('#source-ask .sure').innerText.includes('the database')`)
	b.click("#source-yes")
	b.await(`!document.querySelector('#source-ask').open && document.querySelector('#done').innerText.includes('answers come from the database')`)
	// The browser logs the 409, and the load of a preview that another one replaces.
	if c := slicesWithout(slicesWithout(b.complaints()[before:], "409"), "net::ERR_ABORTED"); len(c) > 0 {
		t.Errorf("on the console: %s", strings.Join(c, "\n"))
	}
}

// playHeld: data that resembles an unfinished import is held back, and published on
// request.
func playHeld(t *testing.T, b *browser) {
	opts, db := scratch(t)
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	base := listen(t, p)
	await(t, "the warm set is published", func() bool { s := p.generations.Status(); return s.Published == 1 && !s.Warming })
	b.open(base + "/cache/")
	if err := removeDivision(db, "2025", "19781"); err != nil {
		t.Fatal(err)
	}
	expectState(t, b, "New data is held back", "The new data resembles an unfinished import", "Visitors get the data from before the import", "xcri-proxy warm --accept")
	b.picture("held")
	b.click("#accept")
	b.await(`document.querySelector('#accept-ask').open`)
	b.click("#accept-form .danger")
	await(t, "it is published", func() bool { return p.generations.Status().Published == 2 })
	expectState(t, b, "Well")
}

// playWithoutScripts: without JavaScript the page still shows the state, and the address
// of the figures.
func playWithoutScripts(t *testing.T, b *browser) {
	var down atomic.Bool
	p, base := start(t, Options{Origin: &fakeOrigin{generation: func() (*store.Generation, error) {
		if down.Load() {
			return nil, fmt.Errorf("%w: <refused>", store.ErrUnavailable)
		}
		return &store.Generation{}, nil
	}}})
	down.Store(true)
	p.generations.Wake()
	await(t, "the outage is known", func() bool { _, err := p.outage.Since(); return err != nil })
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	defer b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": false}, nil)
	text := get(t, base, "/cache/").body
	if !strings.Contains(text, "<li>Database down since ") || !strings.Contains(text, "&lt;refused&gt;") {
		t.Errorf("%s", text)
	}
	b.open(base + "/cache/")
	b.await(`document.body.innerText.includes('needs JavaScript') && document.body.innerText.includes('Database down since ')`)
	b.await(`!document.body.innerText.includes('Warm now') && !document.body.innerText.includes('Hottest keys')`) // they need scripts
	b.picture("without-scripts")
}
