package deploy

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/apache"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/conformance"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

// folder starts an Apache on which only .htaccess files can be changed, with the
// shipped .htaccess in the site's folder below WordPress.
func folder(t *testing.T, proxy string, modules ...string) *apache.Server {
	t.Helper()
	s := apache.Start(t, "SetOutputFilter BROTLI_COMPRESS;DEFLATE",
		append([]string{"headers", "env", "dir", "rewrite", "deflate", "filter", "brotli"}, modules...)...)
	here := func(name string) string { return strings.ReplaceAll(read(t, name), "127.0.0.1:8000", proxy) }
	s.Write(t, ".htaccess", wordpress, 0o644)
	s.Write(t, "index.html", "WordPress", 0o644)
	s.Write(t, "iz/xcri/.htaccess", here("htaccess"), 0o644)
	s.Write(t, "iz/xcri/xcri-proxy.cgi", here("xcri-proxy.cgi"), 0o755)
	s.Write(t, "iz/xcri/down.html", downPage, 0o644)
	s.Write(t, "iz/xcri/api/main.py", "the old API", 0o644)
	return s
}

func TestHtaccess(t *testing.T) {
	t.Parallel()
	for name, modules := range map[string][]string{"proxy": {"proxy", "proxy_http"}, "cgi": {"cgid"}} {
		t.Run(name, func(t *testing.T) {
			old := oldapi.Start(t, oldapi.Options{})
			proxy := startProxy(t, "LEGACY_URL="+old.URL())
			server := folder(t, proxy.addr, modules...)
			if name == "cgi" {
				need.Program(t, "curl", "curl")
			} else {
				t.Run("conformance", func(t *testing.T) { conformance.Check(t, server.URL+base) })
			}
			t.Run("as asked directly", func(t *testing.T) { sameAnswers(t, server.URL, proxy.url(), plain(targets)) })
			t.Run("codings", func(t *testing.T) { codings(t, server.URL, proxy.url()) })
			t.Run("not modified", func(t *testing.T) { notModified(t, server.URL) })
			t.Run("head", func(t *testing.T) { head(t, server.URL) })
			t.Run("passed on", func(t *testing.T) { passedOn(t, server.URL, old) })
			t.Run("hidden", func(t *testing.T) { hidden(t, server.URL, proxy.url()) })
			t.Run("the site beside it", func(t *testing.T) { beside(t, server.URL) })
			t.Run("files", func(t *testing.T) { files(t, server.URL) })
			t.Run("away", func(t *testing.T) { awayInFolder(t, server.URL, proxy) })
		})
	}
}

// plain omits targets that Apache rejects before it reads .htaccess, or normalizes
// for it.
func plain(targets []string) (rest []string) {
	for _, target := range targets {
		path, _, _ := strings.Cut(target, "?")
		if !strings.Contains(path, "%2F") && !strings.Contains(path, "%3F") && !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
			rest = append(rest, target)
		}
	}
	return rest
}

// files holds that Apache serves no file of the folder except through the proxy.
func files(t *testing.T, through string) {
	for _, target := range []string{"/iz/xcri/.htaccess", "/iz/xcri/xcri-proxy.cgi", "/iz/xcri/api/main.py", "/iz/xcri/api/"} {
		if a := (request{target: target}).ask(t, through); strings.Contains(a.body, "RewriteRule") || strings.Contains(a.body, "#!/bin/sh") || strings.Contains(a.body, "the old API") {
			t.Errorf("%s: %d %.200q", target, a.status, a.body)
		}
	}
}

// awayInFolder holds that without a proxy Apache sends an error page for people, and
// never status 200.
func awayInFolder(t *testing.T, through string, proxy *process) {
	errorsOfTheProxy(t, through, proxy)
	proxy.end(syscall.SIGKILL)
	for _, target := range []string{"/iz/xcri/", base + "/teams/?limit=2"} {
		a := request{target: target}.ask(t, through)
		if a.status != http.StatusServiceUnavailable || a.body != downPage && !strings.HasPrefix(a.body, `{"detail":"`) || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %.200q %v", target, a.status, a.body, a.header)
		}
	}
	readable(t, through)
	proxy.run(t)
	if a := (request{target: base + "/teams/?limit=2"}).ask(t, through); a.status != http.StatusOK {
		t.Errorf("afterwards: %d %.200q", a.status, a.body)
	}
}
