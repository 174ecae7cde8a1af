package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/store"
)

// hourOfLoad simulates an hour of load, in which every route is used, and its history.
func hourOfLoad(p *Proxy) {
	ask := func(target string, headers ...string) { p.handle(requestCtx("GET", target, headers...)) }
	now := time.Now().Add(-time.Hour)
	for n := range 360 {
		p.admin.Glance((n * n / 7) % 6)
		p.admin.Sample(now)
		now = now.Add(10 * time.Second)
		if n%2 > 0 || n%40 > 30 {
			continue
		}
		for i := range 1 + n%8 {
			ask(listTarget, "Accept-Encoding", "gzip")
			ask(fmt.Sprintf("/teams/?season_year=%d&limit=5", 2024+n%2))
			ask(fmt.Sprintf("/athletes/?season_year=2025&limit=%d", 1+(n*i)%60))
		}
	}
	for _, target := range []string{"/metadata/latest", "/snapshots/", "/athletes/1", "/athletes/?limit=x", "/teams/99999"} {
		ask(target)
	}
	ask(listTarget, "If-None-Match", "*")
	p.admin.Sample(now)
}

// TestPage: in a real browser the page shows the numbers of the stats, fits a phone
// and a large screen, and loads nothing from other hosts.
func TestPage(t *testing.T) {
	b := openBrowser(t)
	p, base := start(t, realOptions(t))
	hourOfLoad(p)
	for _, path := range []string{"/iz/xcri/cache", "/cache"} {
		b.open(base + path)
		b.await("document.querySelector('#state').dataset.state === 'good' && document.querySelectorAll('#charts svg').length === 10")
		var ends string
		if b.eval("location.pathname", &ends); ends != path+"/" {
			t.Errorf("%s leads to %s", path, ends)
		}
	}
	t.Run("shows the stats", func(t *testing.T) { checkFigures(t, b, base) })
	t.Run("draws the history", func(t *testing.T) { checkCharts(t, b) })
	t.Run("fits", func(t *testing.T) { checkSizes(t, b) })
	t.Run("warm", func(t *testing.T) { checkWarm(t, b, p) })
	t.Run("purge", func(t *testing.T) { checkPurge(t, b, p) })
	for _, url := range b.asked() {
		if !strings.HasPrefix(url, base+"/") && !strings.HasPrefix(url, "data:") && url != "about:blank" {
			t.Errorf("asked for %s", url)
		}
	}
	if c := b.complaints(); len(c) > 0 {
		t.Errorf("on the console: %s", strings.Join(c, "\n"))
	}
}

// volatile are the stats that may change at any time.
var volatile = map[string]bool{"uptime_seconds": true, "memory.rss": true, "memory.used": true, "memory.file_bytes": true, "memory.heap": true, "memory.limit": true,
	"generation.confirmed_at": true, "requests.open_connections": true, "generation.warm.looked": true,
	"pool.in_use": true, "pool.open": true} // polls take a connection for a moment

// figures are the numbers on the page.
type figures struct {
	Shown map[string]string
	Empty []string
	Tiles string
	Rows  map[string]string
	Hot   []string
}

// readPage reads the stats and the page until the stats are the same before and after the page
// has read them: a publish, say, changes them.
func readPage(t *testing.T, b *browser, base string) (page figures, stats map[string]any) {
	t.Helper()
	read := func() (stats map[string]any) {
		if err := json.Unmarshal([]byte(get(t, base, "/cache/stats").body), &stats); err != nil {
			t.Fatal(err)
		}
		return stats
	}
	await(t, "stats that do not change", func() bool {
		page = figures{}
		before := read()
		evalPage(b, &page)
		stats = read()
		for path := range page.Shown {
			if !volatile[path] && valueAt(before, path) != valueAt(stats, path) {
				return false
			}
		}
		return true
	})
	return page, stats
}

// valueAt returns the value at a path of the stats as the page has it.
func valueAt(stats map[string]any, path string) string {
	var value any = stats
	for part := range strings.SplitSeq(path, ".") {
		value = value.(map[string]any)[part]
	}
	switch v := value.(type) {
	case float64:
		if text := strings.TrimSuffix(fmt.Sprintf("%.6f", v), ".000000"); !strings.Contains(text, ".") {
			return text
		}
		return jsNumber(v)
	case string:
		return v
	}
	return ""
}

func evalPage(b *browser, page *figures) {
	b.eval(`readStats().then(() => { const all = [...document.querySelectorAll('[data-path]')]; return {
		Shown: Object.fromEntries(all.map(e => [e.dataset.path, e.dataset.raw])),
		Empty: all.filter(e => !e.textContent).map(e => e.dataset.path),
		Tiles: document.querySelector('#tiles').innerText,
		Rows: Object.fromEntries([...document.querySelectorAll('#routes tbody tr')].map(r => [r.cells[0].innerText, r.cells[1].dataset.raw])),
		Hot: [...document.querySelectorAll('#hottest tbody tr')].map(r => r.cells[0].innerText),
	} })`, page)
}

// checkFigures compares the numbers on the page with the stats at that moment.
func checkFigures(t *testing.T, b *browser, base string) {
	page, stats := readPage(t, b, base)
	for path, shown := range page.Shown {
		if want := valueAt(stats, path); shown != want && !volatile[path] {
			t.Errorf("%s: shows %q, is %q", path, shown, want)
		}
	}
	if len(page.Shown) < 45 || len(page.Empty) > 0 {
		t.Errorf("%d figures; empty: %v", len(page.Shown), page.Empty)
	}
	requests := 0.0
	for path, r := range stats["routes"].(map[string]any) {
		n := 0.0
		for _, outcome := range r.(map[string]any)["outcomes"].(map[string]any) {
			n += outcome.(float64)
		}
		if requests += n; n > 0 && page.Rows[path] != fmt.Sprint(n) {
			t.Errorf("%s: %v requests, shows %q", path, n, page.Rows[path])
		}
	}
	thousands := strings.TrimPrefix(fmt.Sprintf("%d,%03d", int(requests)/1000, int(requests)%1000), "0,")
	if requests < 400 || !strings.Contains(page.Tiles, thousands+" since the start") {
		t.Errorf("%v requests; tiles: %s", requests, page.Tiles)
	}
	hottest := stats["hottest"].([]any)
	if len(hottest) < 3 || len(page.Hot) != len(hottest) || page.Hot[0] != hottest[0].(map[string]any)["key"] {
		t.Errorf("hottest: %v\nshown: %v", hottest, page.Hot)
	}
}

// jsNumber writes a number as JavaScript does.
func jsNumber(v float64) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// checkCharts checks that every chart is drawn, and shows the values under the pointer
// and for the keys.
func checkCharts(t *testing.T, b *browser) {
	var ink []int
	b.eval(`[...document.querySelectorAll('#charts svg')].map(s => s.querySelectorAll('.area, .line, .dot').length)`, &ink)
	for i, n := range ink {
		if n == 0 && i < 7 { // nothing is stale: a line at zero is ink too
			t.Errorf("chart %d is empty", i)
		}
	}
	// A new sample takes the focus, and the last sample may be without requests: keys are
	// pressed until they have their effect.
	press := func(key, effect string) {
		for deadline, seen := time.Now().Add(time.Minute), false; !seen; {
			if time.Now().After(deadline) {
				t.Fatalf("%s: never true: %s", key, effect)
			}
			b.eval(`document.querySelector('#charts svg').focus()`, nil)
			b.press(key)
			b.eval(effect, &seen)
		}
	}
	press("End", `!document.querySelector('#charts .tip').hidden`)
	press("ArrowLeft", `document.querySelector('#charts .tip').innerText.includes('/s') && document.querySelector('#spoken').textContent.includes('Requests by outcome at')`)
	b.press("Escape")
	b.await(`document.querySelector('#charts .tip').hidden`)
	b.eval(`(() => { const r = document.querySelector('#route'); r.value = '/teams/'; r.dispatchEvent(new Event('change')) })()`, nil)
	var label string
	b.eval(`document.querySelectorAll('#charts svg')[1].getAttribute('aria-label')`, &label)
	if !strings.HasPrefix(label, "Hit ratio, latest: ") {
		t.Error(label)
	}
	b.eval(`(() => { const r = document.querySelector('#route'); r.value = ''; r.dispatchEvent(new Event('change')) })()`, nil)
}

// checkSizes checks the page on a screen and a phone, in light and dark colours.
func checkSizes(t *testing.T, b *browser) {
	for _, size := range []struct{ width, height int }{{1280, 900}, {768, 1000}, {360, 740}} {
		for _, scheme := range []string{"light", "dark"} {
			name := fmt.Sprintf("%d-%s", size.width, scheme)
			b.window(size.width, size.height, scheme)
			var page struct {
				Width, Inner int
				Over         []string
				Ground       string
			}
			b.eval(`({ Width: document.documentElement.scrollWidth, Inner: innerWidth,
				Over: [...document.querySelectorAll('body *:not(.skip, .hidden, .tip, .tip *, thead, thead *)')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + ' ' + e.className + ' ' + e.textContent.slice(0, 40)),
				Ground: getComputedStyle(document.body).backgroundColor })`, &page)
			if page.Width > size.width || page.Inner != size.width || len(page.Over) > 0 {
				t.Errorf("%s: %d of %d wide; over the edge: %v", name, page.Width, page.Inner, page.Over)
			}
			if dark := page.Ground == "rgb(15, 20, 26)"; dark != (scheme == "dark") {
				t.Errorf("%s: the ground is %s", name, page.Ground)
			}
			if size.width != 768 {
				checkPicture(t, name, b.picture(name))
			}
		}
	}
	b.window(1280, 900, "light")
}

// checkPicture checks that the page is not empty.
func checkPicture(t *testing.T, name string, file []byte) {
	picture, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	colours := map[[3]uint32]bool{}
	for y := picture.Bounds().Min.Y; y < picture.Bounds().Max.Y; y += 3 {
		for x := picture.Bounds().Min.X; x < picture.Bounds().Max.X; x += 3 {
			r, g, b, _ := picture.At(x, y).RGBA()
			colours[[3]uint32{r >> 12, g >> 12, b >> 12}] = true
		}
	}
	if len(colours) < 20 {
		t.Errorf("%s: %d colours, %v", name, len(colours), picture.Bounds())
	}
}

// checkWarm presses the button and waits until the page shows the result.
func checkWarm(t *testing.T, b *browser, p *Proxy) {
	before := p.generations.Status().Looked
	b.click("#warm")
	b.await(`!document.querySelector('#done').hidden && !document.querySelector('#warm').disabled`)
	var said string
	if b.eval(`document.querySelector('#done').innerText`, &said); !strings.Contains(said, "nothing newer") && !strings.Contains(said, "Warmed") {
		t.Errorf("after the warm button: %s", said)
	}
	if p.generations.Status().Looked <= before {
		t.Error("no page was open")
	}
}

// checkPurge makes all entries stale, then drops the entries of a route.
func checkPurge(t *testing.T, b *browser, p *Proxy) {
	entries := p.Stats().Cache.Entries
	b.click("#purge")
	b.await(`document.querySelector('#ask').open`)
	b.picture("purge")
	b.click("#ask-yes")
	b.await(`!document.querySelector('#ask').open`)
	var said string
	if b.eval(`document.querySelector('#done').innerText`, &said); !strings.Contains(said, fmt.Sprintf("Purged %d entries", entries)) {
		t.Errorf("after the purge of %d: %s", entries, said)
	}
	if s := p.Stats(); s.Generation.StaleCount != entries || s.Cache.Entries != entries {
		t.Errorf("%d stale of %d", s.Generation.StaleCount, s.Cache.Entries)
	}
	b.await(`!document.querySelector('#stale').hidden && document.querySelectorAll('#stale tbody tr').length > 2`)
	b.picture("stale")

	b.click("#purge")
	b.click("[value=route]")
	b.eval(`document.querySelector('#purge-route').value = '/athletes/'`, nil)
	b.click("#hard")
	b.click("#ask-yes")
	b.await(`!document.querySelector('#ask .sure').hidden`)
	if p.Stats().Cache.Entries != entries {
		t.Error("dropped without a confirmation")
	}
	b.click("#ask-yes")
	b.await(`!document.querySelector('#ask').open`)
	if left := p.Stats().Cache.Entries; left >= entries {
		t.Errorf("%d entries, before %d", left, entries)
	}

	b.click("#purge")
	b.click("[value=path]")
	b.eval(`document.querySelector('#purge-path').value = '/nowhere'`, nil)
	b.click("#ask-yes")
	b.await(`document.querySelector('#ask .wrong').innerText.includes('/nowhere')`)
	b.press("Escape")
	b.eval(`document.querySelector('#ask').close()`, nil)
	b.mu.Lock() // the browser logs the 422
	defer b.mu.Unlock()
	b.trouble = slicesWithout(b.trouble, "422")
}

func slicesWithout(all []string, word string) (left []string) {
	for _, s := range all {
		if !strings.Contains(s, word) {
			left = append(left, s)
		}
	}
	return left
}

// TestPageShowsTrouble: the page shows that the proxy does not answer, and the age
// of its numbers.
func TestPageShowsTrouble(t *testing.T) {
	b := openBrowser(t)
	p, base := start(t, Options{Origin: &fakeOrigin{}})
	b.open(base + "/cache/")
	b.await("document.querySelector('#state').dataset.state === 'good'")
	b.await("document.querySelector('#charts').innerText.includes('first figures')")
	p.server.Shutdown(t.Context())
	b.eval("readStats()", nil)
	b.await(`document.querySelector('#trouble').innerText.includes('reached') && document.querySelector('#state').dataset.state === 'bad'`)
	b.eval("statsAt -= 65000; showAge()", nil)
	b.await(`document.querySelector('#age').innerText === 'figures 1 min old'`)
	b.picture("trouble")
}

// The page shows the state of the visitors' requests: while they wait for a locked table,
// and when they get errors, the state is red and names the cause, although the database
// answers polls.
func TestPageShowsTheStateOfVisitors(t *testing.T) {
	b := openBrowser(t)
	locked := make(chan struct{})
	origin := &fakeOrigin{run: func(ctx context.Context, q store.Query) (store.Answer, error) {
		if q.Path != "/teams/" {
			return store.Answer{Status: 200, Body: []byte("{}")}, nil
		}
		select {
		case <-locked:
			return store.Answer{}, store.ErrTimeout
		case <-ctx.Done():
			return store.Answer{}, ctx.Err()
		}
	}}
	p, base := start(t, Options{Origin: origin, Generations: generation.Options{Pages: []string{}}})
	await(t, "the first publish", func() bool { return p.generations.Status().Published > 0 })
	b.open(base + "/cache/")
	b.await("document.querySelector('#state').dataset.state === 'good' && document.querySelector('#now').hidden")
	var visitors sync.WaitGroup
	for i := range 12 {
		visitors.Go(func() { get(t, base, fmt.Sprintf("/teams/?limit=%d", 1+i)) })
	}
	await(t, "the visitors wait", func() bool { return p.cache.Stats().Waiting == 12 })
	b.await(`document.querySelector('#state').innerText === 'Visitors wait' && document.querySelector('#state').dataset.state === 'bad'`)
	b.await(`document.querySelector('#now-cause').innerText.startsWith('12 requests wait for the database now')`)
	b.await(`document.querySelector('#now').innerText.includes('SHOW FULL PROCESSLIST') && document.querySelectorAll('#loading tbody tr').length > 0`)
	close(locked)
	visitors.Wait()
	b.await(`document.querySelector('#state').innerText === 'Visitors get errors' && document.querySelector('#now-cause').innerText.startsWith('12 of 12 answers')`)
	for range 1000 {
		p.handle(requestCtx("GET", "/metadata/"))
	}
	b.await(`document.querySelector('#state').dataset.state === 'good' && document.querySelector('#now').hidden`)
}

// TestPageFiles checks the page's files without a browser.
func TestPageFiles(t *testing.T) {
	_, base := start(t, Options{Origin: &fakeOrigin{}, BasePath: "/iz/xcri"})
	for target, want := range map[string]string{
		"/cache/": "text/html", "/iz/xcri/cache/": "text/html", "/cache/page.css": "text/css", "/cache/noscript.css": "text/css", "/cache/page.js": "text/javascript",
		"/cache/charts.js": "text/javascript", "/cache/actions.js": "text/javascript",
		"/iz/xcri/cache/page.js": "text/javascript",
	} {
		a := get(t, base, target)
		if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), want) || a.header.Get("Content-Security-Policy") != admin.PagePolicy || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", target, a.status, a.header)
		}
		if strings.Contains(a.body, "http://") && !strings.Contains(a.body, "http://www.w3.org/") || strings.Contains(a.body, "https://") {
			t.Errorf("%s names another host", target)
		}
		if a := get(t, base, target, "X-Forwarded-For", "1.2.3.4"); a.status != 403 {
			t.Errorf("%s through Apache: %d", target, a.status)
		}
	}
	for _, target := range []string{"/cache", "/iz/xcri/cache", "/cache?x=/"} {
		if a := get(t, base, target); a.status != 308 || a.header.Get("Location") != "cache/" {
			t.Errorf("%s: %d %v", target, a.status, a.header)
		}
	}
	if a := get(t, base, "/cache/index.html"); a.status != 404 {
		t.Errorf("index.html: %d", a.status)
	}
	if a := ask(t, base, "POST", "/cache/"); a.status != 405 {
		t.Errorf("POST: %d", a.status)
	}
}
