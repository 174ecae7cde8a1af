package proxy

import (
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/legacy"
)

// TestTakesBody: a body is read only for admin pages and for requests that are
// forwarded to the old API.
func TestTakesBody(t *testing.T) {
	old := awayLegacy(t)
	for _, client := range []*legacy.Client{nil, old} {
		p, err := New(Options{Origin: &fakeOrigin{}, BasePath: "/iz/xcri", Legacy: client})
		if err != nil {
			t.Fatal(err)
		}
		passed := client != nil
		for target, want := range map[string]bool{
			"/feedback/": passed, "/iz/xcri/api/feedback/": passed, "/nowhere": passed, "/feedback/?a=b": passed,
			"/cache/purge": true, "/iz/xcri/api/cache/purge": true,
			"/teams/": false, "/iz/xcri/api/athletes/?limit=3": false, "/health": false, "/": false, "/livez": false, "/readyz": false,
			"/iz/xcri/": false, "/iz/xcri/assets/a.js": false,
		} {
			if got := p.takesBody([]byte(target)); got != want {
				t.Errorf("%s, old API %t: %t", target, passed, got)
			}
		}
	}
}
