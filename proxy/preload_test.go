package proxy

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/preload"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/visitor"
	"github.com/lewistv/xcri-proxy/proxy/wire"
	"github.com/lewistv/xcri-proxy/store"
)

// appPage is a page whose script asks for a list a while after the page could.
const appPage = `<!doctype html><title>XCRI</title><script>
setTimeout(() => fetch('/iz/xcri/api` + listTarget + `').then(a => a.text()).then(text => { document.title = text.length }), 300)
</script>`

// taught returns a learner that has observed twenty visits to the page of the app.
func taught(t *testing.T) *preload.Learner {
	learner := preload.New()
	path := []byte("/iz/xcri/")
	tag := content.OfFile([]byte(appPage), true)[content.Identity].ETag
	synctest.Test(t, func(*testing.T) {
		for n := range 20 {
			client := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}), 32)
			learner.Open(client, path, tag, func(string) bool { return true })
			learner.Asked(client, []byte("http://127.0.0.1/iz/xcri/"), []byte("/iz/xcri/api"+listTarget), 1<<20)
			time.Sleep(time.Minute)
		}
	})
	return learner
}

// TestPreload: in a real browser a page and its list are loaded at the same time, and
// the list once. A hint needs a list that is a hit, and is for browsers that open a page.
func TestPreload(t *testing.T) {
	b := openBrowser(t)
	dir := t.TempDir()
	putFile(t, dir, "index.html", appPage)
	opts := siteOptions(t, dir)
	opts.Preload = taught(t)
	p, base := start(t, opts)
	const link = "</iz/xcri/api" + listTarget + ">; rel=preload; as=fetch; crossorigin"
	hint := func(when, dest, want string) {
		t.Helper()
		if a := get(t, base, "/iz/xcri/", "Sec-Fetch-Dest", dest, "Accept-Encoding", "gzip"); a.status != 200 || a.header.Get("Link") != want {
			t.Errorf("%s: %d, Link %q", when, a.status, a.header.Get("Link"))
		}
	}
	hint("the list is not cached", "document", "")
	for range 2 {
		get(t, base, "/iz/xcri/api"+listTarget)
	}
	hint("for a script", "empty", "")
	hint("for a page", "document", link)
	if a := get(t, base, "/iz/xcri/", "Sec-Fetch-Dest", "document", "If-None-Match", "*"); a.status != 304 || a.header.Get("Link") != link {
		t.Errorf("%d, Link %q", a.status, a.header.Get("Link"))
	}
	b.open(base + "/iz/xcri/")
	b.await("Number(document.title) > 0")
	lists := 0
	b.mu.Lock()
	for _, url := range b.requests {
		if strings.HasSuffix(url, listTarget) {
			lists++
		}
	}
	b.mu.Unlock()
	var initiators []string
	b.eval("performance.getEntriesByType('resource').map(r => r.initiatorType)", &initiators)
	if lists != 1 || len(initiators) == 0 || initiators[0] != "link" {
		t.Errorf("%d requests for the list, begun by %q", lists, initiators)
	}
	if s := p.Stats().Site; len(s.Preloads) != 1 || s.Preloads[0].Page != "/iz/xcri/" || s.Preloads[0].List != "/iz/xcri/api"+listTarget {
		t.Errorf("%+v", s.Preloads)
	}
}

// TestObserve: a page learns from the requests of its visits that are answered from the
// cache, which the fast path leaves to the handler meanwhile.
func TestObserve(t *testing.T) {
	dir := t.TempDir()
	putFile(t, dir, "index.html", appPage)
	opts := siteOptions(t, dir)
	opts.Preload, opts.TrustedProxies = preload.New(), visitor.Trust{netip.MustParsePrefix("127.0.0.0/8")}
	opts.Origin = &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) {
		return store.Answer{Status: 200, Body: proxytest.List(200 << 10)}, nil
	}}
	p, base := start(t, opts)
	const list = "/iz/xcri/api" + listTarget
	for range 2 {
		get(t, base, list) // the second is a hit
	}
	open := func(client string) string {
		ctx := requestCtx("GET", "/iz/xcri/?tab=2", "Sec-Fetch-Dest", "document", "X-Forwarded-For", client)
		p.handle(ctx)
		return string(ctx.Response.Header.Peek("Link"))
	}
	const referer = "https://rankings.example/iz/xcri/?tab=2"
	fast := newFastPath(p)
	quick := func(referer string) bool {
		var head wire.Head
		head.Target, head.Referer, head.AcceptEncoding = []byte(list), []byte(referer), []byte("gzip")
		_, v, ok := fast.answer(nil, &head)
		if v != nil {
			v.Release()
		}
		return ok
	}
	synctest.Test(t, func(t *testing.T) {
		for n := range 10 {
			client := fmt.Sprint("198.51.100.", n)
			if link := open(client); link != "" {
				t.Errorf("visit %d: Link %s", n, link)
			}
			if quick(referer) || !quick("https://rankings.example/iz/xcri/faq") || !quick("") {
				t.Error("the fast path takes a request of the visit, or leaves others")
			}
			p.handle(requestCtx("GET", list, "Referer", referer, "Accept-Encoding", "gzip", "X-Forwarded-For", client))
			p.handle(requestCtx("HEAD", list, "Referer", referer, "X-Forwarded-For", client))
			time.Sleep(time.Minute)
		}
		if link := open("198.51.100.1"); link != "<"+list+">; rel=preload; as=fetch; crossorigin" {
			t.Errorf("Link %s", link)
		}
	})
	if p.isHit("/iz/xcri/api/unknown") || !p.isHit(list) {
		t.Error("the wrong target is a hit")
	}
}
