package proxy

import (
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/apache"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/nginx"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/readapi"
)

// slowSearch serves a proxy whose searches wait in the server, each for at most the limit
// of searches, and sends a search through a web server. Its client leaves once the search
// runs.
func slowSearch(t *testing.T, limit time.Duration, front func(upstream string) (url string)) (p *Proxy, waiting func() int, unlock func()) {
	t.Helper()
	p, base, waiting, unlock := lockedTable(t, readapi.AthleteTable, func(o *store.Options) { o.StatementTimeout, o.SearchTimeout = time.Hour, limit })
	visitor := request(t, front(base), "/athletes/?season_year=2025&search=a%25b")
	await(t, "the search runs", func() bool {
		s := p.cache.Stats()
		return waiting() == 1 && s.Waiting == 1 || s.Failures == 1 // on a slow machine it has ended already
	})
	visitor.Close()
	return p, waiting, unlock
}

// TestSearchBehindNginx: nginx closes its connection when its client leaves, and the search
// ends in the server long before its limit.
func TestSearchBehindNginx(t *testing.T) {
	p, waiting, unlock := slowSearch(t, time.Hour, func(upstream string) string {
		return nginx.Start(t, "location / { proxy_pass "+upstream+"; }")
	})
	defer unlock()
	await(t, "the search is ended in the server", func() bool { return waiting() == 0 && p.cache.Stats().Abandoned == 1 })
	if s := p.cache.Stats(); s.Failures != 0 {
		t.Errorf("%+v", s)
	}
}

// TestSearchBehindApache: Apache keeps its connection when its client leaves, until it has
// an answer to send. The limit of searches ends the search in the server.
func TestSearchBehindApache(t *testing.T) {
	p, waiting, unlock := slowSearch(t, 3*time.Second, func(upstream string) string {
		return apache.Start(t, "ProxyPass / "+upstream+"/", "proxy", "proxy_http").URL
	})
	defer unlock()
	await(t, "the search is ended in the server", func() bool { return waiting() == 0 && p.cache.Stats().Failures == 1 })
	if s := p.cache.Stats(); s.Abandoned != 0 {
		t.Errorf("Apache reports clients that leave after all: %+v", s)
	}
	if down, err := p.outage.Since(); err != nil {
		t.Errorf("down since %v: %v", down, err)
	}
}
