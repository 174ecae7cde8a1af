package deploy

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/apache"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/conformance"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/nginx"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

// fronts are configurations of web servers in front that reveal as little of
// themselves as possible: a bare proxy_pass, and worse. PROXY is replaced by the
// proxy's URL.
var fronts = map[string]func(t *testing.T, upstream string) (url string){
	"nginx": func(t *testing.T, upstream string) string {
		return nginx.Start(t, "location / { proxy_pass "+upstream+"; }")
	},
	"nginx, HTTP/1.1": func(t *testing.T, upstream string) string {
		return nginx.Start(t, `location / { proxy_pass `+upstream+`; proxy_http_version 1.1; proxy_set_header Connection ""; }`)
	},
	"nginx, the visitor's host": func(t *testing.T, upstream string) string {
		return nginx.Start(t, `location / { proxy_pass `+upstream+`; proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Connection ""; }`)
	},
	"nginx, an empty header": func(t *testing.T, upstream string) string {
		return nginx.Start(t, `location / { proxy_pass `+upstream+`; proxy_http_version 1.1; proxy_set_header X-Forwarded-For $arg_none; }`)
	},
	"Apache": func(t *testing.T, upstream string) string {
		return apache.Start(t, "ProxyPass / "+forApache(upstream)+"/", "proxy", "proxy_http").URL
	},
	"Apache without headers": func(t *testing.T, upstream string) string {
		return apache.Start(t, "ProxyAddHeaders Off\nProxyPass / "+forApache(upstream)+"/", "proxy", "proxy_http").URL
	},
	"Apache without headers, the visitor's host": func(t *testing.T, upstream string) string {
		return apache.Start(t, "ProxyAddHeaders Off\nProxyPreserveHost On\nProxyPass / "+forApache(upstream)+"/", "proxy", "proxy_http").URL
	},
}

// forApache converts the address of a proxy on a Unix socket from nginx's spelling to
// Apache's.
func forApache(upstream string) string {
	if path, ok := strings.CutPrefix(upstream, "http://unix:"); ok {
		return "unix:" + strings.TrimSuffix(path, ":") + "|http://localhost"
	}
	return upstream
}

// socketPath returns a path for a Unix socket that web servers of another account can
// reach.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "xcri-run-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "xcri-proxy.sock")
}

// TestClosedBehindAnyProxy holds that the admin pages are closed to visitors behind
// any web server, for any headers of either, while they are open to local operators.
func TestClosedBehindAnyProxy(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a web server of the same account can't be distinguished from an operator")
	}
	overTCP, path := startProxy(t), socketPath(t)
	overSocket := startProxyAt(t, "unix:"+path)
	for kind, at := range map[string]struct {
		proxy    *process
		upstream string
	}{"TCP": {overTCP, overTCP.url()}, "Unix socket": {overSocket, "http://unix:" + path + ":"}} {
		for name, start := range fronts {
			t.Run(name+" over "+kind, func(t *testing.T) { closed(t, start(t, at.upstream), at.proxy.url()) })
		}
	}
}

// closed holds that an operator's requests are answered directly, and that through a
// web server all requests for the admin pages are rejected.
func closed(t *testing.T, through, directly string) {
	for _, target := range []string{"/cache/stats", "/metrics", "/iz/xcri/cache/", "/iz/xcri/api/cache/stats", "/cache/entry?path=%2Fteams%2F"} {
		for _, host := range []string{"localhost", "127.0.0.1:8000", "[::1]", "rankings.example"} {
			for _, headers := range []string{"", "X-Forwarded-For:", "Connection: X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Server", "Sec-Fetch-Site: none", "Connection: keep-alive"} {
				a, err := request{target: target, headers: headers, host: host}.send(through)
				if err != nil || a.status != http.StatusForbidden {
					t.Errorf("%s at %s, %q: %+v %v", target, host, headers, a, err)
				}
			}
		}
		if a := (request{target: target, host: "localhost"}).ask(t, directly); a.status != http.StatusOK {
			t.Errorf("%s: nothing is there to close: %d %s", target, a.status, a.body)
		}
	}
	for _, page := range []string{"purge", "maintenance", "source", "warm"} {
		a := request{method: http.MethodPost, target: "/cache/" + page, headers: "Content-Type: application/json", body: "{}", host: "localhost"}.ask(t, through)
		if a.status != http.StatusForbidden {
			t.Errorf("POST %s: %d %s", page, a.status, a.body)
		}
	}
	if a := (request{target: "/teams/?limit=2"}).ask(t, through); a.status != http.StatusOK {
		t.Errorf("the web server passes nothing on: %d", a.status)
	}
}

// TestClosedByToken holds that ADMIN_LOCAL_TOKEN=required closes the admin pages also
// to clients that can't be distinguished from an operator, such as a web server that
// runs as root.
func TestClosedByToken(t *testing.T) {
	const token = "0123456789abcdef"
	proxy := startProxy(t, "ADMIN_TOKEN="+token, "ADMIN_LOCAL_TOKEN=required")
	for target, headers := range map[string]string{"/cache/stats": "Authorization: Bearer " + token, "/metrics": "authorization: bearer " + token} {
		if a := (request{target: target, host: "localhost"}).ask(t, proxy.url()); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", target, a.status)
		}
		if a := (request{target: target, host: "localhost", headers: headers}).ask(t, proxy.url()); a.status != http.StatusOK {
			t.Errorf("%s with the token: %d", target, a.status)
		}
	}
}

// TestVirtualHostOverSocket holds that the shipped snippet works with a proxy on a
// Unix socket, without a difference for visitors.
func TestVirtualHostOverSocket(t *testing.T) {
	t.Parallel()
	old := oldapi.Start(t, oldapi.Options{})
	path := socketPath(t)
	proxy := startProxyAt(t, "unix:"+path, "LEGACY_URL="+old.URL())
	server := vhost(t, fmt.Sprintf("none\nDefine XCRI_UPSTREAM unix:%s|http://localhost", path))
	t.Run("conformance", func(t *testing.T) { conformance.Check(t, server.URL+base) })
	t.Run("as asked directly", func(t *testing.T) { sameAnswers(t, server.URL, proxy.url(), targets) })
	t.Run("codings", func(t *testing.T) { codings(t, server.URL, proxy.url()) })
	t.Run("head", func(t *testing.T) { head(t, server.URL) })
	t.Run("passed on", func(t *testing.T) { passedOn(t, server.URL, old, "Expect: 100-continue") })
	t.Run("hidden", func(t *testing.T) { hidden(t, server.URL, proxy.url()) })
	t.Run("graceful restarts", func(t *testing.T) { gracefulRestarts(t, server) })
	t.Run("away", func(t *testing.T) { away(t, server.URL, proxy) })
}

// TestHtaccessOverSocket holds that the shipped .htaccess and its script work with a
// proxy on a Unix socket.
func TestHtaccessOverSocket(t *testing.T) {
	t.Parallel()
	for name, modules := range map[string][]string{"proxy": {"proxy", "proxy_http"}, "cgi": {"cgid"}} {
		t.Run(name, func(t *testing.T) {
			path := socketPath(t)
			proxy := startProxyAt(t, "unix:"+path, "LEGACY_URL="+oldapi.Start(t, oldapi.Options{}).URL())
			server := folder(t, proxy.addr, modules...)
			server.Write(t, "iz/xcri/.htaccess", strings.ReplaceAll(read(t, "htaccess"), "http://127.0.0.1:8000/", "unix:"+path+"|http://localhost/"), 0o644)
			server.Write(t, "iz/xcri/xcri-proxy.cgi", strings.ReplaceAll(read(t, "xcri-proxy.cgi"), "127.0.0.1:8000", path), 0o755)
			if name == "cgi" {
				need.Program(t, "curl", "curl")
				t.Run("as asked directly", func(t *testing.T) { sameAnswers(t, server.URL, proxy.url(), plain(targets)) })
			} else {
				t.Run("conformance", func(t *testing.T) { conformance.Check(t, server.URL+base) })
			}
			t.Run("hidden", func(t *testing.T) { hidden(t, server.URL, proxy.url()) })
		})
	}
}

// TestLoginThroughHtaccess holds that without its rule for the admin pages .htaccess
// lets an operator log in, although Apache then sends its own address as the Host, and
// that forms of other sites are still rejected.
func TestLoginThroughHtaccess(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	proxy := startProxy(t, "ADMIN_TOKEN="+token)
	server := folder(t, proxy.addr, "proxy", "proxy_http")
	const rule = `RewriteRule ^/*(api/+)?(cache|metrics)(/|;|$) - [NC,F]`
	open := strings.Replace(strings.ReplaceAll(read(t, "htaccess"), "127.0.0.1:8000", proxy.addr), rule, "", 1)
	if !strings.Contains(read(t, "htaccess"), rule) {
		t.Fatal("the rule is another")
	}
	server.Write(t, "iz/xcri/.htaccess", open, 0o644)
	post := func(page, body, headers string) *answer {
		t.Helper()
		return request{method: http.MethodPost, target: "/iz/xcri/cache/" + page, body: body, headers: headers}.ask(t, server.URL)
	}
	const form, json = "Content-Type: application/x-www-form-urlencoded\n", "Content-Type: application/json\n"
	if a := (request{target: "/iz/xcri/cache/", headers: "Accept: text/html"}).ask(t, server.URL); a.status != http.StatusUnauthorized || !strings.Contains(a.body, "<form") {
		t.Errorf("no login: %d %.200s", a.status, a.body)
	}
	for origin, want := range map[string]int{"http://evil.example": http.StatusForbidden, "null": http.StatusForbidden, "http://rankings.example": http.StatusSeeOther} {
		if a := post("login", "token="+token, form+"Origin: "+origin); a.status != want {
			t.Errorf("login of %s: %d %s", origin, a.status, a.body)
		}
	}
	in := post("login", "token="+token, form+"Origin: http://rankings.example")
	cookie, _, _ := strings.Cut(in.header.Get("Set-Cookie"), ";")
	if in.status != http.StatusSeeOther || !strings.HasPrefix(cookie, "xcri_admin=") || !strings.Contains(in.header.Get("Set-Cookie"), "Path=/iz/xcri/cache;") {
		t.Fatalf("login: %d %v", in.status, in.header)
	}
	for origin, want := range map[string]int{"http://rankings.example": http.StatusOK, "http://evil.example": http.StatusForbidden} {
		if a := post("purge", `{"all":true}`, json+"Cookie: "+cookie+"\nOrigin: "+origin); a.status != want {
			t.Errorf("purge by %s: %d %s", origin, a.status, a.body)
		}
	}
	if a := post("purge", `{"all":true}`, json+"Origin: http://rankings.example"); a.status != http.StatusForbidden {
		t.Errorf("purge without the session: %d", a.status)
	}
}
