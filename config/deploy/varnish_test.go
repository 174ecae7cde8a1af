package deploy

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/conformance"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/nginx"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/varnish"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// imported is the scope that the tests import, and lists are its lists.
var (
	imported = importer.Scope{Season: 2025, Division: 2030, Gender: "M"}
	lists    = []string{
		"/athletes/?season_year=2025&division=2030&gender=M&limit=100", "/athletes/?gender=M&division=2030&season_year=2025&limit=7",
		"/teams/?season_year=2025&division=2030&gender=M&limit=50", "/teams/?season_year=2025&gender=M&limit=50&division=2030",
	}
)

func importVersion(t *testing.T, own *sql.DB, version int) {
	t.Helper()
	if err := importer.Import(t.Context(), own, imported, version, importer.Options{}); err != nil {
		t.Fatal(err)
	}
}

// of reports whether all rows of an answer are of a version.
func (a *answer) of(version int) bool {
	rows := strings.Count(a.body, `"conf_group_name":`)
	return rows > 0 && rows == strings.Count(a.body, fmt.Sprintf(`"conf_group_name":%q`, importer.Name(version)))
}

// frontsStats is the part of the stats about caches in front.
type frontsStats struct {
	Fronts []struct {
		Pending   int `json:"pending_tags"`
		Repeating int `json:"repeating_tags"`
		Purges    int
		Failures  int
	}
}

// purgesAreOver waits until a process has sent a number of purges, and none waits to be
// sent or repeated. Each change is a purge and two repetitions.
func purgesAreOver(t *testing.T, proxy *process, sent int) (s frontsStats) {
	t.Helper()
	await(t, "the purges are over", func() bool {
		s = frontsStats{}
		a, err := request{target: "/cache/stats", host: "localhost"}.send(proxy.url())
		if err != nil || json.Unmarshal([]byte(a.body), &s) != nil || len(s.Fronts) != 1 {
			return false
		}
		return s.Fronts[0].Pending == 0 && s.Fronts[0].Repeating == 0 && s.Fronts[0].Purges >= sent
	})
	return s
}

// published waits until the proxy itself gives the answers of a version, and returns when.
func published(t *testing.T, proxy *process, version int) time.Time {
	t.Helper()
	await(t, "the proxy publishes", func() bool {
		for _, target := range lists {
			if a, err := (request{target: target}).send(proxy.url()); err != nil || !a.of(version) {
				return false
			}
		}
		return true
	})
	return time.Now()
}

// readers are clients of a cache in front, which detect answers that are too old.
type readers struct {
	url      string
	least    atomic.Int64 // version that an answer must have
	oldAt    atomic.Int64 // Unix nanoseconds of the last answer of an earlier version
	asked    atomic.Int64
	stopping atomic.Bool
	all      sync.WaitGroup
}

func startReaders(t *testing.T, url string, newest *atomic.Int64) *readers {
	r := &readers{url: url}
	for n := range 8 {
		r.all.Go(func() {
			for i := n; !r.stopping.Load(); i++ {
				least, latest := r.least.Load(), newest.Load()
				began := time.Now()
				a, err := request{target: lists[i%len(lists)]}.send(url)
				if err != nil || a.status != http.StatusOK {
					t.Errorf("%v %+v", err, a)
					return
				}
				r.asked.Add(1)
				version := newest.Load()
				for version > 0 && !a.of(int(version)) {
					version--
				}
				if version < least {
					t.Errorf("%s: an answer of version %d, the caches are purged since version %d", lists[i%len(lists)], version, least)
					return
				}
				if version < latest {
					r.oldAt.Store(began.UnixNano())
				}
			}
		})
	}
	return r
}

// TestVarnish holds that Varnish with the shipped configuration gives the proxy's answers,
// keeps them, and gives none from before an import once the purges of the import are
// over, also of an import while the proxy was away.
func TestVarnish(t *testing.T) {
	t.Parallel()
	name, own := scratch.Sample(t)
	front := port.Address(t)
	proxy := startProxy(t, "DATABASE_NAME="+name, "GENERATION_POLL=100ms", "SETTLE=1h", "CACHE_TAGS=xkey", "CDN_MAX_AGE=24h", "CDN_STALE_IF_ERROR=24h", "PURGE_URLS=http://"+front+"/")
	vcl := read(t, "varnish.vcl")
	_, port, err := net.SplitHostPort(proxy.addr)
	if err != nil || strings.Count(vcl, `.port = "8000"`) != 1 {
		t.Fatal(err, "the port is another")
	}
	server := varnish.Start(t, front, strings.Replace(vcl, `.port = "8000"`, fmt.Sprintf(".port = %q", port), 1))
	purgesAreOver(t, proxy, 3) // also of the purge that found no Varnish

	t.Run("conformance", func(t *testing.T) { conformance.Check(t, server.URL+base) })
	t.Run("closed", func(t *testing.T) { closedAndKept(t, server.URL) })

	var newest atomic.Int64
	r := startReaders(t, server.URL, &newest)
	hits, misses := server.Counter(t, "MAIN.cache_hit"), server.Counter(t, "MAIN.cache_miss")
	asked := r.asked.Load()
	for version := 1; version <= 2; version++ {
		newest.Store(int64(version))
		importVersion(t, own, version)
		at := published(t, proxy, version)
		s := purgesAreOver(t, proxy, 3+3*version)
		r.least.Store(int64(version))
		await(t, "the readers read", func() bool { return r.asked.Load() >= asked+int64(500*version) })
		t.Logf("version %d: the last older answer began %v after the publish; %+v", version, time.Unix(0, r.oldAt.Load()).Sub(at).Round(time.Millisecond), s.Fronts[0])
	}
	r.stopping.Store(true)
	r.all.Wait()
	hits, misses = server.Counter(t, "MAIN.cache_hit")-hits, server.Counter(t, "MAIN.cache_miss")-misses
	t.Logf("%d requests: %d hits and %d misses in Varnish, %.1f%%", r.asked.Load()-asked, hits, misses, 100*float64(hits)/float64(hits+misses))
	if hits < 2*misses {
		t.Errorf("%d hits and %d misses", hits, misses)
	}

	proxy.end(syscall.SIGKILL)
	if a := (request{target: lists[0]}).ask(t, server.URL); !a.of(2) {
		t.Errorf("without the proxy: %d", a.status)
	}
	importVersion(t, own, 3)
	proxy.run(t)
	published(t, proxy, 3)
	purgesAreOver(t, proxy, 3)
	for _, target := range lists {
		if a := (request{target: target}).ask(t, server.URL); !a.of(3) {
			t.Errorf("%s: a restart has lost a purge", target)
		}
	}
}

// closedAndKept holds that visitors reach no admin page, can't purge and see no tag, and
// that answers are kept.
func closedAndKept(t *testing.T, through string) {
	for _, target := range []string{"/cache/stats", "/metrics", "/iz/xcri/cache/", "//iz/xcri//api/cache/stats", "/CACHE"} {
		if a := (request{target: target, host: "localhost"}).ask(t, through); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", target, a.status)
		}
	}
	for headers, want := range map[string]int{
		"xkey-purge: xcri\nX-Forwarded-For: 1.2.3.4": http.StatusForbidden, "X: y": http.StatusBadRequest, "xkey-purge: none": http.StatusOK,
	} {
		if a := (request{method: "PURGE", target: "/", headers: headers}).ask(t, through); a.status != want {
			t.Errorf("PURGE with %q: %d", headers, a.status)
		}
	}
	for i := range 3 {
		a := request{target: lists[0], headers: "Cookie: theme=dark"}.ask(t, through)
		if kept := a.header.Get("Cache-Status") == "varnish; hit"; kept != (i > 0) && i > 0 {
			t.Errorf("request %d: %q", i, a.header.Get("Cache-Status"))
		}
		if a.header.Get("xkey") != "" || a.header.Get("CDN-Cache-Control") != "" || a.header.Get("Cache-Control") != "public, no-cache" {
			t.Errorf("visitors see %v", a.header)
		}
	}
}

// TestNginxCache holds that nginx with the shipped configuration gives the proxy's answers,
// revalidates them, and gives an import's answers soon after the publish.
func TestNginxCache(t *testing.T) {
	t.Parallel()
	name, own := scratch.Sample(t)
	proxy := startProxy(t, "DATABASE_NAME="+name, "GENERATION_POLL=100ms", "CDN_MAX_AGE=1s")
	through := nginx.StartWith(t, func(dir, addr string) string {
		conf := read(t, "nginx-cache.conf")
		for old, other := range map[string]string{"/var/cache/nginx/xcri": dir + "/cache", "127.0.0.1:8000": proxy.addr, "listen 8080": "listen " + addr} {
			if strings.Count(conf, old) != 1 {
				t.Fatalf("%s is there %d times", old, strings.Count(conf, old))
			}
			conf = strings.Replace(conf, old, other, 1)
		}
		return conf
	})
	t.Run("conformance", func(t *testing.T) { conformance.Check(t, through+base) })
	for _, target := range []string{"/cache/stats", "/metrics", "/iz/xcri/cache/", "//iz/xcri//api/cache/stats", "/CACHE"} {
		if a := (request{target: target, host: "localhost"}).ask(t, through); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", target, a.status)
		}
	}
	seen := map[string]bool{}
	await(t, "answers are kept and revalidated", func() bool {
		a := request{target: lists[0]}.ask(t, through)
		for _, status := range a.header.Values("Cache-Status") {
			seen[status] = true
		}
		if a.header.Get("CDN-Cache-Control") != "" || a.header.Get("Cache-Control") != "public, no-cache" {
			t.Fatalf("visitors see %v", a.header)
		}
		return seen["nginx; HIT"] && seen["nginx; REVALIDATED"]
	})
	for version := 1; version <= 2; version++ {
		importVersion(t, own, version)
		published(t, proxy, version)
		for _, target := range lists {
			await(t, "nginx gives the new answer", func() bool { return request{target: target}.ask(t, through).of(version) })
			if a := (request{target: target}).ask(t, through); !a.of(version) {
				t.Errorf("%s: an old answer after a new answer", target)
			}
		}
	}
}
