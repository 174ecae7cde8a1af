package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/site"
)

const (
	appScript = "assets/index-Bx3fK9aZ.js"
	appStyle  = "assets/index-D1e2F3g4.css"
)

// siteFiles holds the files of a built app by name: a large script, a small style
// sheet, and a film that is too large to keep in memory.
var siteFiles = map[string]string{
	"index.html":  "<!doctype html><title>XCRI</title>",
	appScript:     strings.Repeat("console.log('the hills of the course');\n", 4000),
	appStyle:      strings.Repeat("li { color: green }\n", 100),
	"favicon.png": "\x89PNG" + strings.Repeat("x", 5000),
	"film.mp4":    strings.Repeat("film", 1<<20+1),
	"secret.py":   "this is secret",
	".env":        "PASSWORD=this is secret",
}

// siteFolder makes a folder with siteFiles, a named pipe, and a symbolic link that
// leads out of the folder.
func siteFolder(t testing.TB) string {
	t.Helper()
	parent := t.TempDir()
	dir := filepath.Join(parent, "site")
	for name, text := range siteFiles {
		putFile(t, dir, name, text)
	}
	putFile(t, parent, "outside.js", "this is secret")
	if err := errors.Join(os.Symlink("../outside.js", filepath.Join(dir, "outside.js")), syscall.Mkfifo(filepath.Join(dir, "pipe.js"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// putFile atomically replaces a file; the modification time is an hour ago.
func putFile(t testing.TB, dir, name, text string) {
	t.Helper()
	path, hourAgo := filepath.Join(dir, name), time.Now().Add(-time.Hour)
	next := path + ".next"
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(next, []byte(text), 0o644),
		os.Chtimes(next, hourAgo, hourAgo), os.Rename(next, path)); err != nil {
		t.Fatal(err)
	}
}

// siteOptions returns the options of a proxy that also serves a folder.
func siteOptions(t testing.TB, dir string) Options {
	t.Helper()
	s, err := site.New(site.Options{Dir: dir, Variants: content.OfFile})
	if err != nil {
		t.Fatal(err)
	}
	return Options{Origin: &fakeOrigin{}, BasePath: "/iz/xcri", Site: s, CORSOrigins: []string{"*"}}
}

func TestSite(t *testing.T) {
	p, base := start(t, siteOptions(t, siteFolder(t)))
	const forGood, forAWhile = "public, max-age=31536000, immutable", "public, max-age=3600"
	for _, tt := range []struct {
		path, file, contentType, cacheControl string
	}{
		{"/iz/xcri/", "index.html", "text/html; charset=utf-8", "no-cache"},
		{"/iz/xcri/?season=2025&x=../..", "index.html", "text/html; charset=utf-8", "no-cache"},
		{"/iz/xcri/team/123", "index.html", "text/html; charset=utf-8", "no-cache"},
		{"/iz/xcri/search?q=a.js", "index.html", "text/html; charset=utf-8", "no-cache"},
		{"http://x/iz/xcri/faq", "index.html", "text/html; charset=utf-8", "no-cache"},
		{"/iz/xcri/" + appScript, appScript, "text/javascript; charset=utf-8", forGood},
		{"/iz/xcri/" + appStyle + "?v=1", appStyle, "text/css; charset=utf-8", forGood},
		{"/iz/xcri/favicon.png", "favicon.png", "image/png", forAWhile},
		{"/iz/xcri/film.mp4", "film.mp4", "video/mp4", forAWhile},
	} {
		for _, accept := range []string{"", "gzip", "br", "gzip, deflate, br, zstd", "gzip;q=0"} {
			t.Run(tt.path+" "+accept, func(t *testing.T) {
				a := get(t, base, tt.path, "Accept-Encoding", accept, "Origin", "https://elsewhere.example")
				if a.status != 200 || a.plainBody(t) != siteFiles[tt.file] {
					t.Errorf("%d with %d bytes", a.status, len(a.body))
				}
				checkSiteHeaders(t, a, tt.contentType, tt.cacheControl)
				compressed := tt.file == appScript || tt.file == appStyle
				if varies := a.header.Get("Vary") == "Accept-Encoding"; varies != compressed {
					t.Errorf("Vary: %q", a.header.Get("Vary"))
				}
				wanted := accept != "" && accept != "gzip;q=0"
				if coding := a.header.Get("Content-Encoding"); (coding != "") != (compressed && wanted) {
					t.Errorf("Content-Encoding %q", coding)
				}
				checkSame(t, base, tt.path, accept, a)
			})
		}
	}
	if s := p.Stats().Site; s.Requests < 100 || s.Missing != 0 || s.Files != 5 || s.Bytes == 0 {
		t.Errorf("%+v", s)
	}
}

// checkSiteHeaders checks the headers of a site's answer, and that headers of the API
// are absent.
func checkSiteHeaders(t *testing.T, a answer, contentType, cacheControl string) {
	t.Helper()
	want := map[string]string{
		"Content-Type": contentType, "Cache-Control": cacheControl, "X-Content-Type-Options": "nosniff",
		"X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": "strict-origin-when-cross-origin",
		"Content-Security-Policy": "", "Access-Control-Allow-Origin": "", "Cache-Status": "", "Accept-Ranges": "",
	}
	for name, value := range want {
		if got := a.header.Values(name); strings.Join(got, "|") != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
}

// checkSame repeats a request with HEAD and as a conditional request.
func checkSame(t *testing.T, base, path, accept string, a answer) {
	t.Helper()
	tag := a.header.Get("Etag")
	head := ask(t, base, "HEAD", path, "Accept-Encoding", accept)
	if head.status != 200 || head.body != "" || head.header.Get("Etag") != tag || head.header.Get("Content-Type") != a.header.Get("Content-Type") {
		t.Errorf("HEAD: %d %v", head.status, head.header)
	}
	if got, want := head.header.Get("Content-Length"), a.header.Get("Content-Length"); got != want || got == "" {
		t.Errorf("HEAD: %q bytes, GET: %q", got, want)
	}
	for _, asked := range []string{tag, "W/" + tag, `"x", ` + tag} {
		again := get(t, base, path, "Accept-Encoding", accept, "If-None-Match", asked)
		if again.status != 304 || again.body != "" || again.header.Get("Etag") != tag || again.header.Get("Cache-Control") != a.header.Get("Cache-Control") {
			t.Errorf("If-None-Match %s: %d %v", asked, again.status, again.header)
		}
	}
	if star := get(t, base, path, "If-None-Match", "*"); star.status != 304 {
		t.Errorf("If-None-Match *: %d", star.status)
	}
	if other := get(t, base, path, "If-None-Match", `"x"`); other.status != 200 {
		t.Errorf("another tag: %d", other.status)
	}
}

// TestSiteTagsNameBytes: no two forms of a file share a strong ETag.
func TestSiteTagsNameBytes(t *testing.T) {
	_, base := start(t, siteOptions(t, siteFolder(t)))
	tags := map[string]string{}
	for _, coding := range []string{"", "gzip", "br"} {
		a := get(t, base, "/iz/xcri/"+appScript, "Accept-Encoding", coding)
		tag := a.header.Get("Etag")
		if a.header.Get("Content-Encoding") != coding || tags[tag] != "" || !strings.HasPrefix(tag, `"`) {
			t.Errorf("%s in %s has the tag %s, as %q", coding, a.header.Get("Content-Encoding"), tag, tags[tag])
		}
		tags[tag] = coding + "."
	}
}

// TestSiteHidesFiles: paths that lead out of the folder are refused. They are sent on
// a bare connection, since clients would clean them.
func TestSiteHidesFiles(t *testing.T) {
	p, base := start(t, siteOptions(t, siteFolder(t)))
	conn := dial(t, base)
	defer conn.Close()
	from := bufio.NewReader(conn)
	hidden := []string{
		"/.env", "/%2eenv", "/.env/", "/assets/../.env", "/assets/%2e%2e/.env", "/secret.py", "/secret.PY", "/secret%2epy", "/secret.py/",
		"/../outside.js", "/..%2foutside.js", "/..%5coutside.js", "/%2e%2e/outside.js", "/../../../../../../etc/passwd", "//outside.js",
		"/assets/../../outside.js", "//secret.py", "/outside.js", "/pipe.js", "/assets/missing.js", "/assets/index-Bx3fK9aZ.js%00", "/%00", "/%zz",
		"/index.html%00.js", "/assets%2findex-Bx3fK9aZ.js", "/..", "/.", "/assets/.", "/%c0%ae%c0%ae/%c0%ae/outside.js", "/robots.txt", "/.git/HEAD",
	}
	for _, path := range hidden {
		fmt.Fprintf(conn, "GET /iz/xcri%s HTTP/1.1\r\nHost: a\r\n\r\n", path)
		a := read(t, from, "GET")
		if a.status != 404 || a.body != "Not Found\n" {
			t.Errorf("%s: %d %.60q", path, a.status, a.body)
		}
		checkSiteHeaders(t, a, "text/plain; charset=utf-8", "no-store")
	}
	if s := p.Stats().Site; s.Missing != int64(len(hidden)) || s.Files != 1 {
		t.Errorf("%+v", s)
	}
}

func TestSiteBesideTheAPI(t *testing.T) {
	_, base := start(t, siteOptions(t, siteFolder(t)))
	for _, tt := range []struct {
		method, target string
		status         int
		header, want   string
	}{
		{"GET", "/iz/xcri", 308, "Location", "/iz/xcri/"},
		{"HEAD", "/iz/xcri?a=1&b=%2F", 308, "Location", "/iz/xcri/?a=1&b=%2F"},
		{"POST", "/iz/xcri/", 405, "Allow", "GET, HEAD, OPTIONS"},
		{"DELETE", "/iz/xcri/" + appScript, 405, "Allow", "GET, HEAD, OPTIONS"},
		{"OPTIONS", "/iz/xcri/", 204, "Access-Control-Allow-Origin", ""},
		{"OPTIONS", "/iz/xcri/" + appScript, 204, "Allow", "GET, HEAD, OPTIONS"},
		{"GET", "/iz/xcri/cached-page", 200, "Content-Type", "text/html; charset=utf-8"},
		{"GET", "/iz/xcri/cachex", 200, "Content-Type", "text/html; charset=utf-8"},
		{"GET", "/iz/xcri/cache/", 200, "Content-Type", "text/html; charset=utf-8"},
		{"GET", "/iz/xcri/cache.html", 404, "Content-Type", "text/plain; charset=utf-8"},
		{"GET", "/iz/xcri/api/teams/", 200, "Content-Type", "application/json"},
		{"GET", "/iz/xcri/api/nowhere.js", 404, "Content-Type", "application/json"},
		{"GET", "/iz/xcri/cache/stats", 200, "Content-Type", "application/json"},
		{"GET", "/iz/xcri/cache/nowhere.js", 404, "Content-Type", "application/json"},
		{"GET", "/teams/", 200, "Content-Type", "application/json"},
		{"GET", "/" + appScript, 404, "Content-Type", "application/json"},
		{"GET", "/iz/xcri.html", 404, "Content-Type", "application/json"},
		{"GET", "/iz/xcri/apiary", 200, "Content-Type", "text/html; charset=utf-8"},
	} {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			a := ask(t, base, tt.method, tt.target, "Origin", "https://elsewhere.example", "Access-Control-Request-Method", "GET")
			if a.status != tt.status || a.header.Get(tt.header) != tt.want {
				t.Errorf("%d %v", a.status, a.header)
			}
		})
	}
}

func TestNoSite(t *testing.T) {
	p, base := start(t, Options{Origin: &fakeOrigin{}, BasePath: "/iz/xcri"})
	for _, path := range []string{"/iz/xcri", "/iz/xcri/", "/iz/xcri/index.html"} {
		if a := get(t, base, path); a.status != 404 || a.body != `{"detail":"Not Found"}` || a.header.Get("Content-Type") != reply.JSON {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if s := p.Stats().Site; !reflect.DeepEqual(s, api.Site{}) {
		t.Errorf("%+v", s)
	}
}

// TestSiteFolderAway: while the folder can't be read, a request for a file that is not
// in memory gets a 503.
func TestSiteFolderAway(t *testing.T) {
	dir := siteFolder(t)
	_, base := start(t, siteOptions(t, dir))
	if a := get(t, base, "/iz/xcri/film.mp4"); a.status != 200 {
		t.Fatal(a.status)
	}
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{"/": 200, "/" + appScript: 503, "/film.mp4": 503, "/.env": 404} {
		if a := get(t, base, "/iz/xcri"+path); a.status != status || (status == 503) != (a.header.Get("Retry-After") == "1") {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
}

// TestSiteDeployment: new files replace old files by renaming while clients read them. Each
// answer is one complete version, and in the end every answer is the new version.
func TestSiteDeployment(t *testing.T) {
	dir := siteFolder(t)
	_, base := start(t, siteOptions(t, dir))
	release := func(n int64) string {
		return fmt.Sprintf("<!doctype html><!--%d-->%s<!--%d-->", n, strings.Repeat(fmt.Sprintf("<li>%d</li>", n), 3000), n)
	}
	whole := func(body string) (n int64, err error) {
		if body == siteFiles["index.html"] {
			return 0, nil
		}
		if _, err = fmt.Sscanf(body, "<!doctype html><!--%d-->", &n); err == nil && body != release(n) {
			err = errors.New("a part of it")
		}
		return n, err
	}
	var latest, last atomic.Int64
	ctx, stop := context.WithTimeout(context.Background(), 2500*time.Millisecond)
	defer stop()
	var clients sync.WaitGroup
	for c := range 4 {
		clients.Go(func() {
			conn := dial(t, base)
			defer conn.Close()
			from := bufio.NewReader(conn)
			for ctx.Err() == nil {
				fmt.Fprintf(conn, "GET /iz/xcri/ HTTP/1.1\r\nHost: a\r\nAccept-Encoding: %s\r\n\r\n", []string{"gzip", "br", "zstd", ""}[c])
				resp, err := http.ReadResponse(from, nil)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				n, broken := whole(answer{resp.StatusCode, resp.Header, string(body)}.plainBody(t))
				if err := errors.Join(err, broken); err != nil || resp.StatusCode != 200 || n > latest.Load() {
					t.Errorf("%d, release %d: %v", resp.StatusCode, n, err)
					return
				}
				last.Store(max(last.Load(), n))
			}
		})
	}
	for ctx.Err() == nil {
		latest.Add(1)
		putFile(t, dir, "index.html", release(latest.Load()))
	}
	clients.Wait()
	if last.Load() == 0 {
		t.Error("no new release was seen")
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if n, err := whole(get(t, base, "/iz/xcri/").body); err == nil && n == latest.Load() {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("release %d is served, %d is there: %v", n, latest.Load(), err)
		}
	}
}

func TestFileVariants(t *testing.T) {
	script := []byte(siteFiles[appScript])
	for name, tt := range map[string]struct {
		body     []byte
		compress bool
		codings  string
	}{
		"small": {[]byte("x"), true, ""}, "empty": {nil, true, ""}, "image": {script, false, ""},
		"style": {script[:2000], true, " gzip br"}, "script": {script, true, " gzip br"},
	} {
		codings := ""
		made := content.OfFile(tt.body, tt.compress)
		for _, v := range made[1:] {
			codings += " " + v.Coding
		}
		if codings != tt.codings || (codings == "") != (made[content.Identity].Body != nil || len(tt.body) == 0) {
			t.Errorf("%s: %q", name, codings)
		}
		if codings == "" && !bytes.Equal(made[content.Identity].Body, tt.body) {
			t.Errorf("%s: another body", name)
		}
	}
}
