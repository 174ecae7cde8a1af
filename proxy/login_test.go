package proxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/admin"
	"github.com/lewistv/xcri-proxy/proxy/admin/gate"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/apache"
)

const adminToken = "a token for the page"

// tryAll sends every request that changes or reads state from the open page, and
// returns the statuses.
func tryAll(b *browser, root string) map[string]int {
	b.t.Helper()
	var statuses map[string]int
	requests, err := json.Marshal(map[string]string{
		"purge": `{"all":true}`, "maintenance": `{"on":true}`, "source": `{"reset":true}`, "warm": `{}`, "stats": "",
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.eval(fmt.Sprintf(`(async () => {
		const statuses = {};
		for (const [page, body] of Object.entries(%s)) {
			const how = body ? { method: 'POST', headers: { 'Content-Type': 'application/json' }, body } : {};
			statuses[page] = (await fetch(%q + '/cache/' + page, how)).status;
		}
		return statuses;
	})()`, requests, root), &statuses)
	return statuses
}

// TestRebinding: a page under a name that an attacker resolves to this machine has,
// for the browser, the same origin as the proxy. It can neither change nor read
// anything, while the page under the machine's own name can.
func TestRebinding(t *testing.T) {
	b := openBrowser(t)
	b.call("Page.setBypassCSP", map[string]any{"enabled": true}, nil) // the attacker's page has none
	for name, opts := range map[string]Options{
		"no token": {}, "a token": {Admin: admin.Settings{Gate: gate.Options{Token: adminToken}}}, "a listener of its own": {Admin: admin.Settings{Gate: gate.Options{Token: adminToken, Separate: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			opts.Origin, opts.Generations.Pages, opts.CORSOrigins = &fakeOrigin{}, []string{}, []string{"*"}
			p, err := New(opts)
			if err != nil {
				t.Fatal(err)
			}
			public, admin := opened(t, p, "tcp")
			at := public
			if opts.Admin.Gate.Separate {
				at = admin
			}
			port := at.addr[strings.LastIndexByte(at.addr, ':'):]
			b.open("http://evil.test" + port + "/livez")
			for page, status := range tryAll(b, "") {
				if want := map[bool]int{true: 401, false: 403}[page == "stats" && opts.Admin.Gate.Token != ""]; status != want {
					t.Errorf("evil.test %s: %d, want %d", page, status, want)
				}
			}
			if p.Maintenance() != nil {
				t.Error("maintenance mode is on")
			}
			b.open("http://127.0.0.1" + port + "/livez")
			for page, status := range tryAll(b, "") {
				if status/100 != 2 {
					t.Errorf("127.0.0.1 %s: %d", page, status)
				}
			}
			if p.Maintenance() == nil {
				t.Error("the test's requests do nothing")
			}
		})
	}
}

// TestFormsOfOtherSites: requests that a page of another site can send without a
// preflight (forms and simple requests) change nothing, with any body.
func TestFormsOfOtherSites(t *testing.T) {
	b := openBrowser(t)
	b.call("Page.setBypassCSP", map[string]any{"enabled": true}, nil)
	p, base := start(t, Options{Origin: &fakeOrigin{}, CORSOrigins: []string{"*"}})
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method="post" enctype="text/plain" action="%s/cache/maintenance"><input name='{"on":true,"message":"' value='"}'></form>`, base)
	}))
	defer other.Close()
	before := p.admin.Refused()
	evil := strings.Replace(other.URL, "127.0.0.1", "evil.test", 1)
	for _, from := range []string{evil, other.URL} { // another site, and another port of this machine
		b.open(from + "/")
		b.eval(fmt.Sprintf(`(async () => {
			for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', '']) {
				await fetch('%[1]s/cache/maintenance', { method: 'POST', mode: 'no-cors', headers: type ? { 'Content-Type': type } : {}, body: '{"on":true}' }).catch(() => 0);
				await fetch('%[1]s/cache/maintenance', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"on":true}' }).catch(() => 0);
			}
			return 1;
		})()`, base), nil)
		b.eval("document.forms[0].submit()", nil)
		b.await("location.pathname === '/cache/maintenance' || document.readyState === 'complete'")
	}
	if p.Maintenance() != nil {
		t.Error("maintenance mode is on")
	}
	after := p.admin.Refused()
	if n := after["other_site"] + after["content_type"] + after["method"] - before["other_site"] - before["content_type"] - before["method"]; n < 8 {
		t.Errorf("%d requests arrived and were refused: %v", n, after)
	}
	b.open(base + "/livez")
	if s := tryAll(b, ""); s["maintenance"] != 200 || p.Maintenance() == nil {
		t.Errorf("the test's requests do nothing: %v", s)
	}
}

// throughApache starts an Apache in front of the proxy with the shipped configuration;
// open says whether it admits the admin pages.
func throughApache(t *testing.T, base string, open bool) (site string) {
	t.Helper()
	snippet, err := filepath.Abs("../config/deploy/apache-vhost.conf")
	if err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("Define XCRI_PROXY %s\nDefine XCRI_DOWN %s\nInclude %q", strings.TrimPrefix(base, "http://"), os.DevNull, snippet)
	if open {
		conf = "Define XCRI_ADMIN\n" + conf
	}
	return apache.Start(t, conf, "proxy", "proxy_http", "headers", "env", "alias").URL
}

// TestLoginFromAPhone: through Apache, the page asks for the token, works with the
// session that the login opens, and ends the session.
func TestLoginFromAPhone(t *testing.T) {
	b := openBrowser(t)
	opts := realOptions(t)
	opts.Admin = admin.Settings{Gate: gate.Options{Token: adminToken}}
	p, base := start(t, opts)
	site := throughApache(t, base, true) + "/iz/xcri/cache/"
	b.window(390, 844, "light")
	enter := func(token string) {
		t.Helper()
		b.await("document.querySelector('#token')")
		b.eval(fmt.Sprintf("document.querySelector('#token').value = %q; document.forms[0].requestSubmit()", token), nil)
	}
	b.open(site)
	enter("not the token, but as long")
	b.await("document.querySelector('#message')?.innerText.includes('the token is wrong')")
	b.picture("login")
	enter(adminToken)
	b.await("document.querySelector('#state')?.dataset.state === 'good'")
	var path string
	if b.eval("location.pathname", &path); path != "/iz/xcri/cache/" {
		t.Errorf("the login leads to %s", path)
	}
	var cookie string
	if b.eval("document.cookie", &cookie); cookie != "" {
		t.Errorf("scripts see the session: %s", cookie)
	}
	var wide bool
	if b.eval("document.documentElement.scrollWidth > innerWidth", &wide); wide {
		t.Error("the page with its logout is wider than the phone")
	}
	b.picture("logged in")
	if s := tryAll(b, "/iz/xcri"); s["purge"] != 200 || s["stats"] != 200 || s["maintenance"] != 200 || p.Maintenance() == nil {
		t.Errorf("with the session: %v", s)
	}
	b.eval("document.querySelector('#logout').requestSubmit()", nil)
	b.await("document.querySelector('#token')")
	b.open(site + "stats")
	enter(adminToken)
	b.await("document.readyState === 'complete' && document.querySelector('#state')?.innerText === 'Maintenance mode is on'")            // tryAll has turned it on
	b.eval("fetch('logout', {method: 'POST', headers: {'Content-Type': 'application/x-www-form-urlencoded'}}).then(r => r.status)", nil) // as in another tab
	b.await("document.querySelector('#token')")                                                                                          // the page reads its figures every few seconds
}

// TestLoginWithoutScript: a login needs only a form and a cookie. The shipped Apache
// configuration refuses it.
func TestLoginWithoutScript(t *testing.T) {
	_, base := start(t, Options{Origin: &fakeOrigin{}, BasePath: "/iz/xcri", Admin: admin.Settings{Gate: gate.Options{Token: adminToken}}})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	ask := func(method, at, body string) (int, *http.Response) {
		t.Helper()
		req, err := http.NewRequest(method, at, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/html")
		if body != "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode, resp
	}
	closed := throughApache(t, base, false) + "/iz/xcri/cache/"
	for _, page := range []string{"", "login", "stats"} {
		if status, _ := ask("GET", closed+page, ""); status != 403 {
			t.Errorf("closed %s: %d", page, status)
		}
	}
	site := throughApache(t, base, true) + "/iz/xcri/cache/"
	for page, want := range map[string]int{"": 401, "login": 200, "stats": 401, "login/": 200} {
		if status, resp := ask("GET", site+page, ""); status != want || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", page, status, resp.Header)
		}
	}
	if status, _ := ask("POST", site+"login", url.Values{"token": {"wrong"}}.Encode()); status != 403 {
		t.Errorf("a wrong token: %d", status)
	}
	status, resp := ask("POST", site+"login", url.Values{"token": {adminToken}}.Encode())
	if status != 200 || resp.Request.URL.Path != "/iz/xcri/cache/" {
		t.Errorf("login: %d at %s", status, resp.Request.URL)
	}
	if status, _ := ask("GET", site+"stats", ""); status != 200 {
		t.Errorf("stats: %d", status)
	}
	if status, _ := ask("POST", site+"purge", "all=true"); status != 415 {
		t.Errorf("a form for a page that takes JSON: %d", status)
	}
	if status, resp := ask("POST", site+"logout", "x=y"); status != 401 || resp.Request.URL.Path != "/iz/xcri/cache/" {
		t.Errorf("logout: %d at %s", status, resp.Request.URL)
	}
}
