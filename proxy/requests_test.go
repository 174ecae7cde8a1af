package proxy

import "strings"

// lines joins the lines of a request.
func lines(of ...string) string { return strings.Join(of, "\r\n") + "\r\n\r\n" }

const plainGet = "GET /teams/?limit=5 HTTP/1.1"

// plainRequests lists requests that the fast path can read, with the fields that it
// must extract.
var plainRequests = map[string]struct{ request, target, accept, tags string }{
	"the least":   {lines(plainGet, "Host: a"), "/teams/?limit=5", "", ""},
	"a browser's": {lines(plainGet, "Host: web4.ustfccca.org", "User-Agent: Mozilla/5.0 (X11; Linux x86_64)", "Accept: */*", "Accept-Encoding: gzip, br", "Cookie: a=b; c=d"), "/teams/?limit=5", "gzip, br", ""},
	"Apache's":    {lines(plainGet, "Host: 127.0.0.1:8000", "X-Forwarded-For: 10.0.0.1", "If-None-Match: \"x\", W/\"y\"", "Connection: Keep-Alive"), "/teams/?limit=5", "", `"x", W/"y"`},
	"other cases": {lines(plainGet, "hOST:a.b:80", "ACCEPT-ENCODING:  zstd ", "if-none-match:*"), "/teams/?limit=5", "zstd", "*"},
}

// otherRequests lists requests that the fast path leaves to the server.
var otherRequests = map[string]string{
	"nothing":                 "",
	"another method":          lines("POST /teams/ HTTP/1.1", "Host: a"),
	"HEAD":                    lines("HEAD /teams/ HTTP/1.1", "Host: a"),
	"HTTP/1.0":                lines("GET /teams/ HTTP/1.0", "Host: a"),
	"a whole URL":             lines("GET http://a/teams/ HTTP/1.1", "Host: a"),
	"a star":                  lines("GET * HTTP/1.1", "Host: a"),
	"a space in the target":   lines("GET /teams/ x HTTP/1.1", "Host: a"),
	"two spaces":              lines("GET  /teams/ HTTP/1.1", "Host: a"),
	"no host":                 lines(plainGet, "Accept: */*"),
	"an empty host":           lines(plainGet, "Host: "),
	"two hosts":               lines(plainGet, "Host: a", "Host: a"),
	"a host with a user":      lines(plainGet, "Host: me@a"),
	"a host without its port": lines(plainGet, "Host: a:"),
	"an IPv6 host":            lines(plainGet, "Host: [::1]"),
	"a body":                  lines(plainGet, "Host: a", "Content-Length: 2") + "hi",
	"an empty body":           lines(plainGet, "Host: a", "Content-Length: 0"),
	"chunks":                  lines(plainGet, "Host: a", "Transfer-Encoding: chunked") + "0\r\n\r\n",
	"an expectation":          lines(plainGet, "Host: a", "Expect: 100-continue"),
	"the last":                lines(plainGet, "Host: a", "Connection: close"),
	"another site's":          lines(plainGet, "Host: a", "Origin: https://b"),
	"no colon":                lines(plainGet, "Host: a", "X"),
	"no name":                 lines(plainGet, "Host: a", ": x"),
	"a space in a name":       lines(plainGet, "Host: a", "Content-Length : 2"),
	"a control in a value":    lines(plainGet, "Host: a", "X: a\rb"),
	"only line feeds":         "GET /teams/ HTTP/1.1\nHost: a\n\n",
	"an empty line before":    "\r\n" + lines(plainGet, "Host: a"),
	"half of it":              plainGet + "\r\nHost: a\r\nAccept",
	"no end":                  plainGet + "\r\nHost: a\r\n",
	"two":                     lines(plainGet, "Host: a") + lines(plainGet, "Host: a"),
	"the begin of another":    lines(plainGet, "Host: a") + "G",
}

// oddRequests lists unusual requests that the server reads like plain requests.
var oddRequests = map[string]string{
	"bytes above ASCII":      lines("GET /teams/\xff HTTP/1.1", "Host: a"),
	"an upgrade":             lines(plainGet, "Host: a", "Connection: upgrade", "Upgrade: h2c"),
	"a trailer":              lines(plainGet, "Host: a", "Trailer: X"),
	"two Accept-Encoding":    lines(plainGet, "Host: a", "Accept-Encoding: gzip", "Accept-Encoding: br"),
	"two If-None-Match":      lines(plainGet, "Host: a", `If-None-Match: "x"`, "If-None-Match: *"),
	"an empty If-None-Match": lines(plainGet, "Host: a", "If-None-Match:"),
	"a folded line":          lines(plainGet, "Host: a", "X: 1", " 2"),
	"a tab in a value":       lines(plainGet, "Host: a", "X:\ta"),
	"a bare line feed":       plainGet + "\nHost: a\r\n\r\n",
}
