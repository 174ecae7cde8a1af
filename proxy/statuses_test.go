package proxy

import (
	"maps"
	"testing"
)

// TestStatuses holds that each answer to a visitor is counted once by its status code,
// also the answers of the fast path and of the connection's reader, and that requests of
// operators and supervisors are not.
func TestStatuses(t *testing.T) {
	p, base := start(t, Options{Origin: &fakeOrigin{}, BasePath: "/iz/xcri"})
	before := p.Stats().Requests.Statuses
	for range 5 { // a miss, a parsed hit, and hits of the fast path
		get(t, base, "/teams/")
	}
	tag := get(t, base, "/teams/").header.Get("Etag")
	get(t, base, "/teams/", "If-None-Match", tag)
	get(t, base, "/athletes/?limit=x")
	ask(t, base, "POST", "/teams/")
	for _, own := range []string{"/cache/stats", "/cache/", "/metrics", "/livez", "/readyz", "/cache/nowhere"} {
		get(t, base, own)
	}
	exchange(t, base, "GET /teams/ HTTP/1.1\r\nHost: a b\r\n\r\n")
	got := p.Stats().Requests.Statuses
	for code, n := range before {
		got[code] -= n
	}
	want := map[string]int64{"200": 6, "304": 1, "422": 1, "405": 1, "400": 1}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	var all int64
	for _, n := range p.metrics.Statuses.Classes() {
		all += n
	}
	if all != 10 {
		t.Errorf("%d answers", all)
	}
}
