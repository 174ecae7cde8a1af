package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/maintenance"
)

// TestNoticeInBrowser checks the page in a real browser.
func TestNoticeInBrowser(t *testing.T) {
	b := openBrowser(t)
	const message = `We import "the new season" <b>now</b> & soon`
	until := time.Now().Add(45*time.Minute - 10*time.Second)
	around := until.Format("3:04 PM MST")
	if until.Day() != time.Now().Day() {
		around = until.Format("Monday, January 2, 3:04 PM MST")
	}
	_, base := start(t, Options{Origin: &fakeOrigin{}, BasePath: "/iz/xcri", Kept: Kept{State: State{Maintenance: &maintenance.Period{Since: time.Now(), Until: &until, Message: message}}}})
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	b.open(base + "/iz/xcri/teams")
	for selector, want := range map[string]string{
		"h1": "We’ll be right back", ".message": message, ".brand b": "XCRI", ".when": "Please check back in 45 minutes, around " + around + ".",
	} {
		var shown string
		if b.eval(fmt.Sprintf("document.querySelector(%q).innerText", selector), &shown); shown != want {
			t.Errorf("%s: %q, want %q", selector, shown, want)
		}
	}
	t.Run("moves", func(t *testing.T) { checkMotion(t, b) })
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": false}, nil) // or the test can't wait for a frame
	t.Run("fits", func(t *testing.T) { checkNoticeSizes(t, b) })
	t.Run("contrast", func(t *testing.T) { checkContrast(t, b) })
	for _, url := range b.asked() {
		if url != base+"/iz/xcri/teams" && url != "about:blank" {
			t.Errorf("asked for %s", url)
		}
	}
	for _, c := range b.complaints() {
		if !strings.Contains(c, "the server responded with a status of 503") {
			t.Errorf("on the console: %s", c)
		}
	}
}

// checkMotion: runners and trees move, but not for a visitor who prefers reduced motion.
func checkMotion(t *testing.T, b *browser) {
	moving := "document.getAnimations().filter(a => a.playState === 'running').length"
	for preference, moves := range map[string]bool{"no-preference": true, "reduce": false} {
		b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-reduced-motion", "value": preference}}}, nil)
		if b.await(moving + map[bool]string{true: " > 50", false: " === 0"}[moves]); moves {
			b.await("document.getAnimations().some(a => a.animationName === 'leg' && a.currentTime > 100)")
		}
		poses := map[string]bool{}
		var all []string
		b.eval("[...document.querySelectorAll('.leg')].map(e => getComputedStyle(e).transform)", &all)
		for _, pose := range all {
			poses[pose] = true
		}
		if len(all) != 10 || len(poses) < 9 {
			t.Errorf("%s: %d legs in %d poses", preference, len(all), len(poses))
		}
	}
	b.picture("notice-still")
}

// checkNoticeSizes: nothing is cut off and no page scrolls sideways, with the longest
// text of the end of maintenance.
func checkNoticeSizes(t *testing.T, b *browser) {
	b.eval("document.querySelector('time').textContent = 'Wednesday, September 30, 12:59 PM EST'", nil)
	for _, size := range []struct{ width, height int }{{1920, 1080}, {1280, 800}, {390, 844}, {320, 568}, {844, 390}} {
		for _, scheme := range []string{"light", "dark"} {
			name := fmt.Sprintf("notice-%d-%s", size.width, scheme)
			b.window(size.width, size.height, scheme)
			var page struct {
				Width, Inner int
				Over         []string
				Headline     float64
			}
			b.eval(`({ Width: document.documentElement.scrollWidth, Inner: innerWidth, Headline: document.querySelector('h1').getBoundingClientRect().top,
				Over: [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth || e.getBoundingClientRect().left < 0).map(e => e.outerHTML.slice(0, 60)) })`, &page)
			if page.Width > size.width || page.Inner != size.width || len(page.Over) > 0 || page.Headline < 0 || page.Headline > float64(size.height) {
				t.Errorf("%s: %+v", name, page)
			}
			checkPicture(t, name, b.picture(name))
		}
	}
}

// checkContrast compares the text with both ends of the sky behind it: WCAG AA
// wants 4.5.
func checkContrast(t *testing.T, b *browser) {
	for _, scheme := range []string{"light", "dark"} {
		b.window(1280, 800, scheme)
		var ratios map[string]float64
		b.eval(`(() => {
			const light = (c) => { const [r, g, b] = c.match(/\d+/g).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b };
			const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05) };
			const css = (e, name) => getComputedStyle(document.querySelector(e))[name];
			const sky = css('body', 'backgroundImage').match(/rgb\([^)]*\)/g), out = {};
			for (const e of ['h1', '.when', '.small', '.brand', '.message']) out[e] = Math.min(...sky.map(s => ratio(css(e, 'color'), s)));
			out.chip = ratio(css('.brand b', 'color'), css('.brand b', 'backgroundColor'));
			return out })()`, &ratios)
		for element, ratio := range ratios {
			if ratio < 4.5 {
				t.Errorf("%s, %s: contrast %.2f", scheme, element, ratio)
			}
		}
		if len(ratios) != 6 {
			t.Errorf("%d ratios", len(ratios))
		}
	}
}
