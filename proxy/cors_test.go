package proxy

import (
	"net"
	"testing"
)

func remoteAddr(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 1234} }

func TestCORS(t *testing.T) {
	const site, other = "https://web4.ustfccca.org", "https://elsewhere.example"
	_, some := start(t, Options{Origin: &fakeOrigin{}, CORSOrigins: []string{site, "http://localhost:5173"}})
	_, all := start(t, Options{Origin: &fakeOrigin{}, CORSOrigins: []string{"*"}})
	_, none := start(t, Options{Origin: &fakeOrigin{}})
	for _, tt := range []struct {
		name, base, origin, want string
	}{
		{"the site", some, site, site}, {"another of ours", some, "http://localhost:5173", "http://localhost:5173"},
		{"another site", some, other, ""}, {"a site that begins alike", some, site + ".evil.example", ""}, {"no origin", some, "", ""},
		{"all", all, other, other}, {"none", none, site, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var headers []string
			if tt.origin != "" {
				headers = []string{"Origin", tt.origin}
			}
			credentials := ""
			if tt.want != "" {
				credentials = "true"
			}
			for _, target := range []string{"/teams/", "/teams/?limit=x", "/nowhere", "/health"} {
				a := get(t, tt.base, target, headers...)
				if got := a.header.Get("Access-Control-Allow-Origin"); got != tt.want {
					t.Errorf("%s: %q, want %q", target, got, tt.want)
				}
				if got := a.header.Get("Access-Control-Allow-Credentials"); got != credentials {
					t.Errorf("%s: credentials %q", target, got)
				}
				if a.header.Get("Vary") != "Accept-Encoding, Origin" {
					t.Errorf("%s: Vary %q", target, a.header.Get("Vary"))
				}
			}
			if tt.origin == "" {
				return
			}
			a := ask(t, tt.base, "OPTIONS", "/teams/", append(headers, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "X-A, X-B")...)
			status := 200
			if tt.want == "" {
				status = 400
			}
			if a.status != status || a.header.Get("Access-Control-Allow-Origin") != tt.want || a.header.Get("Access-Control-Allow-Headers") != "X-A, X-B" || a.header.Get("Access-Control-Max-Age") != "600" {
				t.Errorf("preflight: %d %v", a.status, a.header)
			}
		})
	}
}

// TestPreflightMethods: a preflight for a method that pages may not use is refused, in
// the words of the old API.
func TestPreflightMethods(t *testing.T) {
	const site, other = "https://web4.ustfccca.org", "https://elsewhere.example"
	_, base := start(t, Options{Origin: &fakeOrigin{}, CORSOrigins: []string{site}})
	for _, tt := range []struct {
		origin, method string
		status         int
		body           string
	}{
		{site, "GET", 200, "OK"}, {site, "DELETE", 200, "OK"}, {site, "PATCH", 200, "OK"},
		{site, "FOO", 400, "Disallowed CORS method"}, {site, "get", 400, "Disallowed CORS method"}, {site, "GET, POST", 400, "Disallowed CORS method"},
		{other, "GET", 400, "Disallowed CORS origin"}, {other, "FOO", 400, "Disallowed CORS origin, method"},
	} {
		a := ask(t, base, "OPTIONS", "/teams/", "Origin", tt.origin, "Access-Control-Request-Method", tt.method)
		if a.status != tt.status || a.body != tt.body || a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s %s: %d %q", tt.origin, tt.method, a.status, a.body)
		}
	}
}
