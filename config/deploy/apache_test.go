package deploy

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/apache"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/conformance"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
)

// base is the public path of the API.
const base = "/iz/xcri/api"

// wordpress simulates the rules at the site's root: WordPress handles every path that
// is not a file.
const wordpress = "RewriteEngine On\nRewriteRule ^index\\.html$ - [L]\nRewriteCond %{REQUEST_FILENAME} !-f\n" +
	"RewriteCond %{REQUEST_FILENAME} !-d\nRewriteRule . /index.html [L]\n"

const downPage = "<!doctype html><title>Back soon</title>"

// vhost starts an Apache with the shipped snippet in its virtual host.
func vhost(t *testing.T, proxy string) *apache.Server {
	t.Helper()
	snippet, err := filepath.Abs("apache-vhost.conf")
	if err != nil {
		t.Fatal(err)
	}
	down := filepath.Join(t.TempDir(), "down.html")
	for dir := filepath.Dir(down); dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // for Apache's account
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(down, []byte(downPage), 0o644); err != nil {
		t.Fatal(err)
	}
	// The site's own compression must not change the answers.
	conf := fmt.Sprintf("SetOutputFilter BROTLI_COMPRESS;DEFLATE\nDefine XCRI_PROXY %s\nDefine XCRI_DOWN %s\nInclude %q", proxy, down, snippet)
	s := apache.Start(t, conf, "proxy", "proxy_http", "headers", "env", "alias", "dir", "rewrite", "deflate", "filter", "brotli")
	s.Write(t, ".htaccess", wordpress, 0o644)
	s.Write(t, "index.html", "WordPress", 0o644)
	return s
}

func TestVirtualHost(t *testing.T) {
	t.Parallel()
	old := oldapi.Start(t, oldapi.Options{})
	proxy := startProxy(t, "LEGACY_URL="+old.URL())
	server := vhost(t, proxy.addr)
	t.Run("conformance", func(t *testing.T) { conformance.Check(t, server.URL+base) })
	t.Run("as asked directly", func(t *testing.T) { sameAnswers(t, server.URL, proxy.url(), targets) })
	t.Run("codings", func(t *testing.T) { codings(t, server.URL, proxy.url()) })
	t.Run("not modified", func(t *testing.T) { notModified(t, server.URL) })
	t.Run("head", func(t *testing.T) { head(t, server.URL) })
	t.Run("passed on", func(t *testing.T) { passedOn(t, server.URL, old, "Expect: 100-continue") })
	t.Run("as sent", func(t *testing.T) { asSent(t, server.URL, old) })
	t.Run("hidden", func(t *testing.T) { hidden(t, server.URL, proxy.url()) })
	t.Run("the site beside it", func(t *testing.T) { beside(t, server.URL) })
	t.Run("graceful restarts", func(t *testing.T) { gracefulRestarts(t, server) })
	t.Run("away", func(t *testing.T) { away(t, server.URL, proxy) })
}

// targets are spelled in ways that a server in front might change.
var targets = []string{
	base + "/athletes/?limit=3", base + "/athletes?limit=3", base + "/nothing/here",
	base + "/athletes/?season_year=2025&limit=2&search=O%27Brien%20%C3%A9", base + "/teams/?limit=2&search=a+b", base + "/teams/?limit=2&search=a%2Bb",
	base + "/teams/?limit=2&search=100%25", base + "/teams/?limit=2&search=a%26limit=1", base + "/teams/?limit=2;offset=1", base + "/teams/?limit=2&search=a%3Bb",
	base + "/teams/?limit=2&search=\xc3\xa9", base + "/teams/?limit=2&search=%", base + "/teams/?limit=2&search=%zz", base + "/teams/?limit=2&search=%00",
	base + "/teams/?limit=2&search=%2526", base + "/teams/?limit=2&search=a?b", base + "/teams/?limit=2&&&offset=0&", base + "/teams/?",
	base + "/teams/?gender=X", base + "/teams/?limit=1&limit=2", base + "/teams/?limit=2&search=" + strings.Repeat("a", 4000),
	base + "/%74eams/?limit=2", base + "/teams%2F?limit=2", base + "/athletes/%31/", base + "/athletes/1%2F2", base + "/athletes/a%20b", base + "/athletes/a+b",
	base + "/athletes/a%3Fb", base + "/athletes/a%23b", base + "/athletes/a;b=c", base + "/athletes/%C3%A9", base + "/athletes/\xc3\xa9", base + "/athletes/a%25b",
	base + "/snapshots/2025-10-27/teams?limit=2", base + "//teams/", base + "/teams/.", base + "/x/../teams/?limit=2",
}

// sameAnswers compares the answers of two servers.
func sameAnswers(t *testing.T, through, directly string, targets []string) {
	for _, target := range targets {
		r := request{target: target, headers: "X-Forwarded-For: 203.0.113.9"}
		got, want := r.ask(t, through), r.ask(t, directly)
		if got.status != want.status || got.body != want.body {
			t.Errorf("%s: %d %.200q, directly %d %.200q", target, got.status, got.body, want.status, want.body)
		}
		for _, name := range []string{"Content-Type", "Content-Length", "Etag", "Vary", "Cache-Control", "Content-Encoding", "X-Frame-Options"} {
			if got, want := field(got, name), field(want, name); got != want {
				t.Errorf("%s: %s %q, directly %q", target, name, got, want)
			}
		}
	}
}

// field returns a header's complete value. Apache writes lists without spaces.
func field(a *answer, name string) string {
	return strings.ReplaceAll(strings.Join(a.header[name], ","), ", ", ",")
}

// codings holds that a body is compressed once, with a coding that the visitor
// accepts, and not at all if the proxy did not compress it.
func codings(t *testing.T, through, directly string) {
	for _, target := range []string{base + "/athletes/?limit=20", base + "/teams/?limit=1", base + "/metadata/latest/date"} {
		for accept, coding := range map[string]string{"gzip": "gzip", "br": "br", "gzip, deflate, br": "br", "identity": "", "": "", "deflate": ""} {
			r := request{target: target, headers: "Accept-Encoding: " + accept}
			if accept == "" {
				r.headers = ""
			}
			got, want := r.ask(t, through), r.ask(t, directly)
			if got.body != want.body || got.length != int64(len(got.body)) || got.length != want.length {
				t.Errorf("%s %q: %d bytes, %d declared, %d directly", target, accept, len(got.body), got.length, want.length)
			}
			for _, name := range []string{"Etag", "Vary", "Content-Encoding"} {
				if got, want := field(got, name), field(want, name); got != want {
					t.Errorf("%s %q: %s %q, directly %q", target, accept, name, got, want)
				}
			}
			if strings.Contains(target, "limit=20") && got.header.Get("Content-Encoding") != coding {
				t.Errorf("%s %q: came as %q", target, accept, got.header.Get("Content-Encoding"))
			}
			if got.header.Get("Content-Encoding") == "gzip" {
				plain := request{target: target}.ask(t, directly).body
				if in, err := gzip.NewReader(strings.NewReader(got.body)); err != nil {
					t.Error(err)
				} else if text, err := io.ReadAll(in); string(text) != plain || err != nil {
					t.Errorf("%s: another body, %v", target, err)
				}
			}
		}
	}
}

func notModified(t *testing.T, through string) {
	for _, target := range []string{base + "/athletes/?limit=20", base + "/teams/?limit=1"} {
		for _, accept := range []string{"gzip", "br", "identity"} {
			first := request{target: target, headers: "Accept-Encoding: " + accept}.ask(t, through)
			tag := first.header.Get("Etag")
			if tag == "" {
				t.Errorf("%s: no ETag", target)
			}
			again := request{target: target, headers: "Accept-Encoding: " + accept + "\nIf-None-Match: " + tag}.ask(t, through)
			if again.status != http.StatusNotModified || again.body != "" || again.header.Get("Etag") != tag || again.header.Get("Vary") == "" {
				t.Errorf("%s %s: %d with %d bytes, %v", target, accept, again.status, len(again.body), again.header)
			}
		}
	}
}

func head(t *testing.T, through string) {
	for _, accept := range []string{"gzip", "identity"} {
		r := request{target: base + "/athletes/?limit=20", headers: "Accept-Encoding: " + accept}
		want := r.ask(t, through)
		r.method = http.MethodHead
		got := r.ask(t, through)
		if got.status != want.status || got.length != want.length || got.body != "" || got.header.Get("Etag") != want.header.Get("Etag") {
			t.Errorf("%s: %d, %d bytes declared, want %d; %v", accept, got.status, got.length, want.length, got.header)
		}
	}
}

// passedOn holds that a visitor's request reaches the old API once, with the visitor's
// real address and not an address that the visitor claims.
func passedOn(t *testing.T, through string, old *oldapi.Server, headers ...string) {
	t.Helper()
	const spoofed = "X-Forwarded-For: 198.51.100.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: evil.example\nForwarded: for=198.51.100.1\nX-Real-IP: 198.51.100.1"
	for i, headers := range append(headers,
		"", spoofed, spoofed+"\nConnection: X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto",
		"X-Forwarded-For: 198.51.100.1, 127.0.0.1", "X-Forwarded-For: 198.51.100.1\nX-Forwarded-For: 127.0.0.1",
	) {
		from := fmt.Sprintf("127.0.1.%d", i+1)
		body := fmt.Sprintf(`{"message":"%d é %% + &"}`, i)
		before := len(old.Requests())
		a := request{method: http.MethodPost, target: base + "/feedback/", headers: "Content-Type: application/json\n" + headers, body: body, from: from}.ask(t, through)
		if a.status/100 != 2 {
			t.Errorf("%q: %d %.200q", headers, a.status, a.body)
		}
		seen := old.Requests()[before:]
		if len(seen) != 1 {
			t.Errorf("%q: reached the old API %d times", headers, len(seen))
			continue
		}
		r := seen[0]
		got := fmt.Sprint(r.Method, r.Target, r.Body, r.Header["Content-Type"], r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Host"], r.Header["X-Forwarded-Proto"])
		want := fmt.Sprint(http.MethodPost, "/feedback/", body, []string{"application/json"}, []string{from}, []string{"rankings.example"}, []string{"http"})
		if got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", headers, got, want)
		}
	}
	before := len(old.Requests())
	a := request{method: http.MethodPost, target: base + "/feedback/", body: strings.Repeat("x", 70<<10)}.ask(t, through)
	if a.status != http.StatusRequestEntityTooLarge || len(old.Requests()) != before {
		t.Errorf("a body that is too large: %d %.200q, passed on %d times", a.status, a.body, len(old.Requests())-before)
	}
}

// asSent holds that percent-encoded characters reach the old API unchanged.
func asSent(t *testing.T, through string, old *oldapi.Server) {
	for _, target := range []string{
		"/other/a%2Fb", "/other/%41%20%25%3F%23%3B", "/other/%C3%A9;x=1", "/other/?q=O%27Brien+%2B%26%25%20é&x=%2F;y", "/other?", "/other/a%2525",
	} {
		request{target: base + target}.ask(t, through)
		all := old.Requests()
		if got := all[len(all)-1].Target; got != target && got != strings.TrimSuffix(target, "?") {
			t.Errorf("%s arrived as %s", target, got)
		}
	}
}

// forAdministrators are spellings of the admin pages, which no visitor may get.
var forAdministrators = []string{
	"/iz/xcri/cache", "/iz/xcri/cache/", "/iz/xcri/cache/stats", "/iz/xcri/cache/page.js", "/iz/xcri/cache/history", base + "/cache/stats", base + "/cache", base + "/metrics", base + "/metrics/",
	"/iz/xcri/cache?x", "/iz/xcri//cache/stats", "//iz/xcri/cache/stats", "//iz//xcri//api//cache//stats", "/iz/xcri/api//cache/stats", "/iz/xcri/%63ache/stats",
	"/iz/xcri/cach%65/stats", "/iz/xcri/%63%61%63%68%65", "/%69z/xcri/cache/stats", "/iz%2Fxcri/cache/stats", "/iz/xcri%2Fcache/stats", "/iz/xcri%2fapi%2fcache", "/iz/xcri/cache%2Fstats",
	"/iz/xcri/%2563ache/stats", "/iz/xcri/api/../cache/stats", "/iz/xcri/api/%2e%2e/cache/stats", "/iz/xcri/x/../cache/stats", "/iz/xcri/./cache/stats", "/iz/xcri/cache/./stats",
	"/iz/xcri/cache/x/../stats", "/iz/xcri/cache;x", "/iz/xcri/cache;x/stats", "/iz/xcri;x/cache/stats", "/iz/xcri/CACHE", "/iz/xcri/Cache/stats", "/IZ/XCRI/cache/stats",
	"/metrics", "/cache/stats", "/iz/xcri/../../cache/stats", "/iz/xcri/../metrics", "/iz/xcri/..%2f..%2fcache%2fstats", "/iz/xcri/api/%6detrics", "/iz/xcri/\\cache/stats", "/iz/xcri/cache%00", "/iz/xcri/cache%20",
	"http://rankings.example/iz/xcri/cache/stats", "http://rankings.example//cache/stats",
}

// hidden holds that Apache rejects every spelling of the admin pages. The proxy itself
// rejects them too, independently of Apache.
func hidden(t *testing.T, through, directly string) {
	for _, headers := range []string{"", "X-Forwarded-For: 127.0.0.1", "Connection: X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Server, X-Forwarded-Proto"} {
		for _, target := range forAdministrators {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				a, err := request{method: method, target: target, headers: headers}.send(through)
				if err == nil && (a.status < 400 && !strings.Contains(a.body, "WordPress") || strings.Contains(a.body, "hit_ratio") || strings.Contains(a.body, "xcri_")) {
					t.Errorf("%s %s %s: %d %.200q", method, target, headers, a.status, a.body)
				}
			}
		}
	}
	for _, target := range []string{"/iz/xcri/cache/", "/iz/xcri/cache/stats", base + "/cache/stats", base + "/metrics"} {
		if a := (request{target: target}).ask(t, through); a.status != http.StatusForbidden || strings.Contains(a.body, "admin token") {
			t.Errorf("%s: Apache passed it on: %d %.200q", target, a.status, a.body)
		}
		if a := (request{target: target, headers: "X-Forwarded-For: 203.0.113.9"}).ask(t, directly); a.status != http.StatusForbidden {
			t.Errorf("%s: the proxy does not refuse it: %d", target, a.status)
		}
		if a := (request{target: target, host: "localhost"}).ask(t, directly); a.status != http.StatusOK {
			t.Errorf("%s: nothing is there to hide: %d", target, a.status)
		}
	}
}

// beside holds that WordPress handles paths that are not below the prefix.
func beside(t *testing.T, through string) {
	for _, target := range []string{"/", "/a/page/", "/iz/other/", "/iz/xcrix", "/iz/xcri-down", "/IZ/XCRI/api/health"} {
		if a := (request{target: target}).ask(t, through); a.body != "WordPress" {
			t.Errorf("%s: %d %.200q", target, a.status, a.body)
		}
	}
}

// gracefulRestarts holds that every request is answered while Apache replaces its
// children under load.
func gracefulRestarts(t *testing.T, server *apache.Server) {
	load := startLoad(server.URL + base)
	for range 3 {
		load.awaitMore(t, 500)
		if err := server.Graceful(); err != nil {
			t.Error(err)
		}
	}
	load.awaitMore(t, 500)
	load.finish(t)
}

// away holds that without a proxy clients get an error page in a suitable format, and
// that they are served as soon as the proxy runs again.
func away(t *testing.T, through string, proxy *process) {
	errorsOfTheProxy(t, through, proxy)
	proxy.end(syscall.SIGKILL)
	page := request{target: "/iz/xcri/"}.ask(t, through)
	if page.status != http.StatusServiceUnavailable || page.body != downPage || page.header.Get("Retry-After") == "" ||
		!strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		t.Errorf("the site: %d %.200q %v", page.status, page.body, page.header)
	}
	api := request{target: base + "/teams/?limit=2"}.ask(t, through)
	if api.status != http.StatusServiceUnavailable || !strings.HasPrefix(api.body, `{"detail":"`) || api.header.Get("Content-Type") != "application/json" ||
		api.header.Get("Retry-After") == "" {
		t.Errorf("the API: %d %.200q %v", api.status, api.body, api.header)
	}
	readable(t, through)
	proxy.run(t)
	if a := (request{target: base + "/teams/?limit=2"}).ask(t, through); a.status != http.StatusOK {
		t.Errorf("afterwards: %d %.200q", a.status, a.body)
	}
}

// foreign is a request of a page of the production site that is served elsewhere.
var foreign = request{target: base + "/teams/?limit=2", headers: "Origin: https://web4.ustfccca.org"}

// errorsOfTheProxy holds that an error of the proxy passes Apache with one field of each
// name.
func errorsOfTheProxy(t *testing.T, through string, proxy *process) {
	t.Helper()
	maintenance := func(to string) {
		t.Helper()
		if out, err := exec.Command(binary, "maintenance", to, "--env-file", proxy.envFile, "--listen-addr", proxy.addr).CombinedOutput(); err != nil {
			t.Fatalf("maintenance %s: %v\n%s", to, err, out)
		}
	}
	maintenance("on")
	defer maintenance("off")
	foreign := foreign
	foreign.target = base + "/no/such/page" // is for the old API, which maintenance mode leaves alone
	a := foreign.ask(t, through)
	for _, name := range []string{"Retry-After", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"} {
		if got := a.header.Values(name); a.status != http.StatusServiceUnavailable || len(got) != 1 {
			t.Errorf("%d, %s: %q", a.status, name, got)
		}
	}
}

// readable holds that a page of an allowed origin can read an error of Apache's own, and
// a page of another origin can't.
func readable(t *testing.T, through string) {
	t.Helper()
	a := foreign.ask(t, through)
	if got := a.header.Values("Access-Control-Allow-Origin"); a.status != http.StatusServiceUnavailable || len(got) != 1 || got[0] != "https://web4.ustfccca.org" ||
		a.header.Get("Access-Control-Allow-Credentials") != "true" || len(a.header.Values("Retry-After")) != 1 || !strings.Contains(strings.Join(a.header.Values("Vary"), ", "), "Origin") {
		t.Errorf("Apache's own error: %d %v", a.status, a.header)
	}
	other := foreign
	other.headers = "Origin: https://web4.ustfccca.org.evil.example"
	if a := other.ask(t, through); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("for another origin: %v", a.header)
	}
}
