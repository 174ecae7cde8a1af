package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const token = "a long enough token"

var (
	loopback = netip.MustParseAddr("127.0.0.1")
	stranger = netip.MustParseAddr("203.0.113.7")

	read   = Page{Read: true}
	change = Page{Change: true}
	both   = Page{Read: true, Change: true}
	login  = Page{Read: true, Change: true, Form: true, Open: true}
)

func account(uid int, err error) func() (int, error) { return func() (int, error) { return uid, err } }

// operator is a request of an operator on this machine.
func operator(method string, more ...Field) *Request {
	r := &Request{
		Peer: loopback, Account: account(0, nil), Visitor: loopback, HTTP11: true, Method: method, Hosts: []string{"localhost:8000"},
		Fields: append([]Field{{"Host", "localhost:8000"}, {"User-Agent", "curl/7.88.1"}, {"Accept", "*/*"}}, more...),
	}
	if method == "POST" && !slices.ContainsFunc(more, func(f Field) bool { return strings.EqualFold(f.Name, "Content-Type") }) {
		r.Fields = append(r.Fields, Field{"Content-Type", "application/json"})
	}
	return r
}

// remote is a request of another machine.
func remote(method string, more ...Field) *Request {
	r := operator(method, more...)
	r.Peer, r.Visitor = stranger, stranger
	return r
}

func bearer(token string) Field { return Field{"Authorization", "Bearer " + token} }

// fact is a value of one fact of a request; is reports whether a request of an
// operator on this machine may have the value.
type fact struct {
	name string
	is   bool
	set  func(*Request)
}

func header(name, value string, is bool) fact {
	return fact{name + ": " + value, is, func(r *Request) { r.Fields = append(r.Fields, Field{name, value}) }}
}

// facts lists, for each fact, the values that a request may have.
func facts() [][]fact {
	peer := func(text string, is bool) fact {
		return fact{"peer " + text, is, func(r *Request) { r.Peer, _ = netip.ParseAddr(text) }}
	}
	host := func(text string, is bool) fact {
		return fact{"host " + text, is, func(r *Request) { r.Hosts = []string{text} }}
	}
	runs := func(name string, uid int, err error, is bool) fact {
		return fact{"account " + name, is, func(r *Request) { r.Account = account(uid, err) }}
	}
	return [][]fact{
		{peer("127.0.0.1", true), peer("127.9.9.9", true), peer("::1", true), peer("", true), // a Unix socket
			peer("203.0.113.7", false), peer("10.0.0.1", false), peer("0.0.0.0", false), peer("fe80::1", false), peer("2001:db8::1", false)},
		{host("localhost", true), host("localhost:8000", true), host("LocalHost:1", true), host("127.0.0.1:65535", true), host("[::1]", true), host("[::1]:8000", true),
			host("", false), host("evil.test", false), host("evil.test:8000", false), host("localhost.evil.test", false), host("evil.localhost", false),
			host("localhost.", false), host("localhost:", false), host("localhost:0", false), host("localhost:65536", false), host("localhost:x", false),
			host("localhost:8000:8000", false), host("127.0.0.1.evil.test", false), host("127.0.0.2", false), host("0.0.0.0", false), host("::1", false),
			host("[::1", false), host("[::]", false), host("[::ffff:127.0.0.1]", false), host("127.1", false), host("2130706433", false), host("user@localhost", false),
			{"no host", false, func(r *Request) { r.Hosts = nil }},
			{"another host in the target", false, func(r *Request) { r.Hosts = []string{"localhost", "evil.test"} }},
			{"two host lines", false, func(r *Request) { r.Hosts = []string{"evil.test", "localhost"} }}},
		{{"HTTP/1.1", true, func(*Request) {}}, {"HTTP/1.0", false, func(r *Request) { r.HTTP11 = false }}},
		{runs("root", 0, nil, true), runs("the proxy's", os.Getuid(), nil, true), runs("the first person's", 1000, nil, true), runs("the last person's", 61183, nil, true),
			runs("a directory's", 70000, nil, true), runs("the system does not report it", 0, fmt.Errorf("x: %w", errors.ErrUnsupported), true),
			runs("daemon", 1, nil, false), runs("www-data", 33, nil, false), runs("the last of the system", 999, nil, false),
			runs("the first dynamic one", 61184, nil, false), runs("nobody", 65534, nil, false), runs("no account", 65535, nil, false), runs("unknown", 0, errors.New("gone"), false)},
		{{"no header more", true, func(*Request) {}}, header("Sec-Fetch-Site", "none", true), header("Upgrade-Insecure-Requests", "1", true), header("X-Requested-With", "x", true),
			header("X-Forwarded-For", "127.0.0.1", false), header("X-Forwarded-For", "", false), header("x_forwarded_for", "", false), header("Via", "", false)},
	}
}

// TestEachCombination: without a token a request is admitted if and only if an
// operator on this machine may have each of its facts.
func TestEachCombination(t *testing.T) {
	all, g := facts(), New(Options{})
	tried, admitted := 0, 0
	var next func(from int, chosen []fact)
	next = func(from int, chosen []fact) {
		if from < len(all) {
			for _, f := range all[from] {
				next(from+1, append(chosen, f))
			}
			return
		}
		var names []string
		is := true
		r := operator("GET")
		for _, f := range chosen {
			f.set(r)
			names, is = append(names, f.name), is && f.is
		}
		tried++
		if is {
			admitted++
		}
		v := g.Decide(r, read)
		if v.Admitted() != is || is && v.By != ByLocal || !is && (v.Status != 403 || v.Cause != CauseNotLocal || !strings.HasPrefix(v.Reason, onlyHere) || len(v.Reason) == len(onlyHere)) {
			t.Fatalf("%q: %+v, want admitted: %v", names, v, is)
		}
	}
	next(0, nil)
	if tried != 9*30*2*13*8 || admitted != 4*6*1*6*4 {
		t.Errorf("%d combinations, %d admitted", tried, admitted)
	}
}

// TestOperators: root, the proxy's own account, and the accounts of people are
// operators. Other system accounts are not.
func TestOperators(t *testing.T) {
	for _, own := range []int{0, 500, 61184, 1000, 65534} {
		for uid, person := range map[int]bool{0: true, 1: false, 33: false, 999: false, 1000: true, 1001: true, 61183: true, 61184: false, 65534: false, 65535: false, 65536: true, 500: false} {
			if why := notOperator(uid, own, nil); (why == "") != (person || uid == own) {
				t.Errorf("%d asks %d: %q", uid, own, why)
			}
			if why := notOperator(uid, own, errors.New("x")); why == "" {
				t.Errorf("%d asks %d, without an answer: admitted", uid, own)
			}
		}
	}
}

// TestBusy: an operator whose account could not be found in time may try again, with and
// without an admin token. Another machine's request needs no account and is refused.
func TestBusy(t *testing.T) {
	for _, opts := range []Options{{}, {Token: token}} {
		for _, method := range []string{"GET", "POST"} {
			g, r := New(opts), operator(method)
			r.Account = account(0, errBusy)
			if v := g.Decide(r, both); v.Admitted() || v.Status != 503 || v.Cause != CauseBusy || v.Wait <= 0 || g.Refused()["busy"] != 1 {
				t.Errorf("%s: %+v, %v", method, v, g.Refused())
			}
			r = remote(method)
			r.Account = account(0, errBusy)
			if v := g.Decide(r, both); v.Cause != CauseNotLocal {
				t.Errorf("%s of another machine: %+v", method, v)
			}
		}
	}
}

// TestForwardingHeaders: headers that proxies add are recognized in every spelling,
// and headers that operators' programs send are not.
func TestForwardingHeaders(t *testing.T) {
	for _, name := range []string{
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-By", "X-Forwarded",
		"X-Forwarded-Client-Cert", "X-Forwarded-Anything", "X-Original-Forwarded-For", "X-Original-Host", "X-Original-URL", "X-Forward-For", "Forwarded-For", "Forwarded",
		"X-Real-IP", "X-Client-IP", "Client-IP", "X-Cluster-Client-IP", "True-Client-IP", "X-ProxyUser-Ip", "X-Remote-Addr", "X-Remote-IP", "X-Originating-IP", "X-Host",
		"CF-Connecting-IP", "CF-Ray", "CF-Visitor", "CDN-Loop", "Fastly-Client-IP", "Fly-Client-IP", "X-Azure-ClientIP", "X-Azure-FDID", "X-Amz-Cf-Id", "X-Amzn-Trace-Id",
		"X-Appengine-City", "X-Cloud-Trace-Context", "X-ARR-SSL", "X-Envoy-External-Address", "X-Varnish", "X-Akamai-Edgescape", "X-Sucuri-ClientIP", "X-Vercel-Id",
		"Via", "X-Bluecoat-Via", "Max-Forwards", "Proxy-Connection", "X-Nginx-Proxy", "X-Scheme", "X-Url-Scheme", "Front-End-Https", "Surrogate-Capability", "X-LSCACHE",
		"WL-Proxy-Client-IP", "x_forwarded_for", "X_REAL_IP", "x-FORWARDED-for",
	} {
		for _, value := range []string{"", "127.0.0.1"} {
			if v := New(Options{}).Decide(operator("GET", Field{name, value}), read); v.Admitted() || !strings.Contains(v.Reason, fmt.Sprintf("%q", name)) {
				t.Errorf("%s: %s: %+v", name, value, v)
			}
		}
	}
	for _, name := range []string{
		"Host", "host", "User-Agent", "Accept", "Accept-Encoding", "Accept-Language", "Connection", "Keep-Alive", "Cache-Control", "Pragma", "DNT", "Priority", "Referer",
		"Origin", "Cookie", "If-None-Match", "Content-Length", "Content-Type", "Upgrade-Insecure-Requests", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-User",
		"Sec-CH-UA", "Sec-CH-UA-Mobile", "Sec-CH-UA-Platform", "Sec-GPC", "Save-Data", "TE", "Transfer-Encoding", "X-Requested-With", "X-Prometheus-Scrape-Timeout-Seconds",
		"Sec-WebSocket-Protocol", "X-Request-Id", "Traceparent", "Expect", "Range",
	} {
		if isForwarding(name) {
			t.Errorf("%s is no proxy's", name)
		}
	}
	if v := New(Options{}).Decide(operator("GET", Field{"Via-" + strings.Repeat("x", 9999), ""}), read); v.Admitted() || len(v.Reason) > 300 {
		t.Errorf("a reason of %d bytes", len(v.Reason))
	}
}

// TestWhoIsAdmitted lists credentials, settings and kinds of request with the
// decision about each.
func TestWhoIsAdmitted(t *testing.T) {
	withToken, required, separate := Options{Token: token}, Options{Token: token, LocalToken: true}, Options{Token: token, Separate: true}
	private := func(r *Request) *Request { r.Private = true; return r }
	service := func(r *Request) *Request { r.Account = account(33, nil); return r }
	forwarded := Field{"X-Forwarded-For", "203.0.113.7"}
	for name, tt := range map[string]struct {
		opts   Options
		r      *Request
		page   Page
		status int
		is     any // the credential or the cause
	}{
		"an operator reads":                        {Options{}, operator("GET"), read, 200, ByLocal},
		"an operator asks for a header":            {Options{}, operator("HEAD"), read, 200, ByLocal},
		"an operator changes":                      {Options{}, operator("POST"), change, 200, ByLocal},
		"an operator where a token is set":         {withToken, operator("GET"), read, 200, ByLocal},
		"an operator where it is required":         {required, operator("GET"), read, 401, CauseNotLocal},
		"an operator changes where it is required": {required, operator("POST"), change, 403, CauseNotLocal},
		"the token where it is required":           {required, operator("GET", bearer(token)), read, 200, ByToken},
		"required without a token":                 {Options{LocalToken: true}, operator("GET"), read, 403, CauseNotLocal},
		"another machine":                          {Options{}, remote("GET"), read, 403, CauseNotLocal},
		"another machine where a token is set":     {withToken, remote("GET"), read, 401, CauseNotLocal},
		"another machine asks for a header":        {withToken, remote("HEAD"), read, 401, CauseNotLocal},
		"another machine changes":                  {withToken, remote("POST"), change, 403, CauseNotLocal},
		"another machine asks with another method": {withToken, remote("OPTIONS"), read, 403, CauseNotLocal},
		"the token":                                    {withToken, remote("GET", bearer(token)), read, 200, ByToken},
		"the token by way of Apache":                   {withToken, remote("POST", bearer(token), forwarded), change, 200, ByToken},
		"the token in HTTP/1.0, any host":              {withToken, &Request{Peer: stranger, Method: "GET", Fields: []Field{bearer(token)}}, read, 200, ByToken},
		"the scheme in other letters":                  {withToken, remote("GET", Field{"authorization", "bEARER " + token}), read, 200, ByToken},
		"a wrong token":                                {withToken, remote("GET", bearer(token+"x")), read, 403, CauseToken},
		"a wrong token of an operator":                 {withToken, operator("GET", bearer("x")), read, 403, CauseToken},
		"a part of the token":                          {withToken, remote("GET", bearer(token[:len(token)-1])), read, 403, CauseToken},
		"an empty token":                               {withToken, remote("GET", bearer("")), read, 403, CauseToken},
		"an empty token where none is set":             {Options{}, operator("GET", bearer("")), read, 403, CauseToken},
		"the token twice":                              {withToken, remote("GET", bearer(token), bearer(token)), read, 403, CauseToken},
		"the token without a scheme":                   {withToken, remote("GET", Field{"Authorization", token}), read, 403, CauseToken},
		"another scheme":                               {withToken, operator("GET", Field{"Authorization", "Basic " + token}), read, 403, CauseToken},
		"an empty Authorization":                       {withToken, operator("GET", Field{"Authorization", ""}), read, 403, CauseToken},
		"a page that does not exist":                   {Options{}, operator("GET"), Page{}, 404, CauseMissing},
		"a page that does not exist, another machine":  {Options{}, remote("GET"), Page{}, 403, CauseNotLocal},
		"a page that does not exist, a change":         {Options{}, operator("POST"), Page{}, 404, CauseMissing},
		"a change of a page to read":                   {Options{}, operator("POST"), read, 405, CauseMethod},
		"reading a page for changes":                   {Options{}, operator("GET"), change, 405, CauseMethod},
		"another method":                               {Options{}, operator("DELETE"), both, 405, CauseMethod},
		"a preflight of an operator's browser":         {Options{}, operator("OPTIONS", Field{"Origin", "https://evil.example"}), both, 405, CauseMethod},
		"a form instead of JSON":                       {Options{}, operator("POST", Field{"Content-Type", "application/x-www-form-urlencoded"}), change, 415, CauseType},
		"text instead of JSON":                         {Options{}, operator("POST", Field{"Content-Type", "text/plain"}), change, 415, CauseType},
		"no type":                                      {Options{}, operator("POST", Field{"Content-Type", ""}), change, 415, CauseType},
		"two types":                                    {Options{}, operator("POST", Field{"Content-Type", "application/json"}, Field{"Content-Type", "text/plain"}), change, 415, CauseType},
		"JSON with a charset":                          {Options{}, operator("POST", Field{"content-type", "Application/JSON ; charset=utf-8"}), change, 200, ByLocal},
		"JSON in name only":                            {Options{}, operator("POST", Field{"Content-Type", "text/plain; application/json"}), change, 415, CauseType},
		"the token with a form":                        {withToken, remote("POST", bearer(token), Field{"Content-Type", "multipart/form-data"}), change, 415, CauseType},
		"no type is needed to read":                    {Options{}, operator("GET"), both, 200, ByLocal},
		"another page with the token":                  {withToken, remote("POST", bearer(token), Field{"Sec-Fetch-Site", "cross-site"}), change, 403, CauseForeign},
		"another page reads":                           {Options{}, operator("GET", Field{"Origin", "https://evil.example"}), read, 200, ByLocal},
		"the login page where no token is set":         {Options{}, operator("GET"), login, 404, CauseMissing},
		"the login page":                               {withToken, remote("GET"), login, 200, ByNone},
		"the login page with a wrong token":            {withToken, remote("GET", bearer("x")), login, 200, ByNone},
		"a login":                                      {withToken, remote("POST", Field{"Content-Type", "application/x-www-form-urlencoded"}), login, 200, ByNone},
		"a login in JSON":                              {withToken, remote("POST"), login, 415, CauseType},
		"a login by another page":                      {withToken, remote("POST", Field{"Content-Type", "application/x-www-form-urlencoded"}, Field{"Origin", "null"}), login, 403, CauseForeign},
		"the public listener where there is another":   {separate, operator("GET", bearer(token)), read, 404, CauseElsewhere},
		"login at the public listener":                 {separate, remote("GET"), login, 404, CauseElsewhere},
		"the admin listener":                           {separate, private(operator("GET")), read, 200, ByLocal},
		"the admin listener, a service":                {separate, private(service(operator("GET"))), read, 200, ByLocal},
		"the admin listener, another machine":          {separate, private(remote("GET")), read, 401, CauseNotLocal},
		"the admin listener, token required":           {Options{Token: token, LocalToken: true, Separate: true}, private(operator("GET")), read, 401, CauseNotLocal},
		"the admin listener, forwarded":                {separate, private(operator("GET", forwarded)), read, 401, CauseNotLocal},
		"the admin listener, another host":             {separate, private(func() *Request { r := operator("GET"); r.Hosts[0] = "evil.test"; return r }()), read, 401, CauseNotLocal},
		"the admin listener, HTTP/1.0":                 {separate, private(func() *Request { r := operator("GET"); r.HTTP11 = false; return r }()), read, 401, CauseNotLocal},
		"the admin listener, the token":                {separate, private(remote("GET", bearer(token))), read, 200, ByToken},
		"an unknown session":                           {withToken, remote("GET", Field{"Cookie", sessionCookie + "=x"}), read, 401, CauseNotLocal},
		"an operator with an unknown session":          {withToken, operator("GET", Field{"Cookie", sessionCookie + "=x"}), read, 200, ByLocal},
		"an operator with a session and a wrong token": {withToken, operator("GET", bearer("x"), Field{"Cookie", sessionCookie + "=x"}), read, 403, CauseToken},
	} {
		t.Run(name, func(t *testing.T) {
			g := New(tt.opts)
			v := g.Decide(tt.r, tt.page)
			var is any = v.By
			if !v.Admitted() {
				is = v.Cause
			}
			if v.Status != tt.status || is != tt.is || (v.Reason == "") != v.Admitted() {
				t.Errorf("%+v, want %d %v", v, tt.status, tt.is)
			}
			if strings.Contains(v.Reason, token) || v.Wait != 0 {
				t.Errorf("%+v", v)
			}
			if allow := map[Page]string{read: "GET, HEAD", change: "POST", both: "GET, HEAD, POST"}[tt.page]; v.Status == 405 && v.Allow != allow || v.Status != 405 && v.Allow != "" {
				t.Errorf("Allow: %s, want %s", v.Allow, allow)
			}
			if len(g.Refused()) != int(causes)-1 {
				t.Errorf("%v", g.Refused())
			}
			for label, n := range g.Refused() {
				if want := map[bool]int64{true: 1}[!v.Admitted() && label == v.Cause.String()]; n != want {
					t.Errorf("%s: %d refusals, want %d", label, n, want)
				}
			}
		})
	}
}

// TestOtherSites: a browser can change nothing on behalf of another site's page.
func TestOtherSites(t *testing.T) {
	for name, tt := range map[string]struct {
		fields []Field
		is     bool
	}{
		"a program":                       {nil, true},
		"the page itself":                 {[]Field{{"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://localhost:8000"}}, true},
		"typed in":                        {[]Field{{"Sec-Fetch-Site", "none"}}, true},
		"another site":                    {[]Field{{"Sec-Fetch-Site", "cross-site"}}, false},
		"a sister site":                   {[]Field{{"Sec-Fetch-Site", "same-site"}}, false},
		"an empty word":                   {[]Field{{"Sec-Fetch-Site", ""}}, false},
		"two words":                       {[]Field{{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "cross-site"}}, false},
		"the origin":                      {[]Field{{"Origin", "http://localhost:8000"}}, true},
		"the origin in capitals":          {[]Field{{"Origin", "HTTP://LOCALHOST:8000"}}, true},
		"another origin":                  {[]Field{{"Origin", "https://evil.example"}}, false},
		"another port":                    {[]Field{{"Origin", "http://localhost:8001"}}, false},
		"no port":                         {[]Field{{"Origin", "http://localhost"}}, false},
		"no origin":                       {[]Field{{"Origin", "null"}}, false},
		"an empty origin":                 {[]Field{{"Origin", ""}}, false},
		"two origins":                     {[]Field{{"Origin", "http://localhost:8000"}, {"Origin", "https://evil.example"}}, false},
		"the page's address":              {[]Field{{"Referer", "http://localhost:8000/cache/"}}, true},
		"another page's address":          {[]Field{{"Referer", "http://evil.example/localhost:8000/"}}, false},
		"the origin says more":            {[]Field{{"Origin", "http://localhost:8000"}, {"Referer", "http://evil.example/"}}, true},
		"the origin says other":           {[]Field{{"Origin", "http://evil.example"}, {"Referer", "http://localhost:8000/"}}, false},
		"Fetch Metadata says more":        {[]Field{{"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://behind.example"}}, true},
		"the site in front of us":         {[]Field{bearer(token), {"Origin", "https://site.example"}, {"X-Forwarded-Host", "site.example"}}, true},
		"the last site in front of us":    {[]Field{bearer(token), {"Origin", "https://site.example"}, {"X-Forwarded-Host", "evil.example, site.example"}}, true},
		"a site that only claims":         {[]Field{bearer(token), {"Origin", "https://evil.example"}, {"X-Forwarded-Host", "evil.example, site.example"}}, false},
		"another site than in front":      {[]Field{bearer(token), {"Origin", "https://evil.example"}, {"X-Forwarded-Host", "site.example"}}, false},
		"an empty one and none in front":  {[]Field{bearer(token), {"Origin", "https://"}, {"X-Forwarded-Host", ""}}, false},
		"not even a host where none is":   {[]Field{bearer(token), {"Origin", "null"}, {"X-Forwarded-Host", ""}}, false},
		"a page's address without a host": {[]Field{bearer(token), {"Referer", "about:blank"}, {"X-Forwarded-Host", ""}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := New(Options{Token: token}).Decide(operator("POST", tt.fields...), change)
			if v.Admitted() != tt.is || !tt.is && (v.Status != 403 || v.Cause != CauseForeign) {
				t.Errorf("%+v", v)
			}
		})
	}
}

// TestSessions: a session starts with a login and ends with a logout, after its
// lifetime, or when too many sessions are opened after it.
func TestSessions(t *testing.T) {
	now := time.Unix(1e9, 0)
	g := New(Options{Token: token, Now: func() time.Time { return now }})
	enter := func(id string, r *Request) Verdict {
		r.Fields = append(r.Fields, Field{"Cookie", "a=b; " + sessionCookie + "=" + id + ";c=d"})
		return g.Decide(r, both)
	}
	id := g.sessions.start()
	if v := enter(id, remote("GET")); v.Status != 200 || v.By != BySession {
		t.Errorf("%+v", v)
	}
	if v := enter(id, remote("POST", Field{"Sec-Fetch-Site", "same-origin"})); v.Status != 200 || v.By != BySession {
		t.Errorf("a change: %+v", v)
	}
	if v := enter(id, remote("POST", Field{"Sec-Fetch-Site", "cross-site"})); v.Cause != CauseForeign {
		t.Errorf("a change by another site: %+v", v)
	}
	if v := enter(id, remote("GET", Field{"Authorization", "Basic eDp5"})); v.By != BySession {
		t.Errorf("with a password for Apache: %+v", v)
	}
	if v := enter(id, remote("GET", bearer("x"))); v.Cause != CauseToken {
		t.Errorf("with a wrong token: %+v", v)
	}
	if v := enter("nothing", remote("GET", Field{"Cookie", "x; " + sessionCookie + "=" + id})); v.By != BySession {
		t.Errorf("the second cookie of that name: %+v", v)
	}
	if v := g.Decide(remote("GET", Field{"Cookie", "x" + sessionCookie + "=" + id + "; " + id}), read); v.Admitted() {
		t.Errorf("another cookie: %+v", v)
	}
	now = now.Add(sessionLife - 1)
	if v := enter(id, remote("GET")); !v.Admitted() {
		t.Errorf("just before its end: %+v", v)
	}
	now = now.Add(1)
	if v := enter(id, remote("GET")); v.Admitted() || len(g.sessions.until) != 0 {
		t.Errorf("after its end: %+v, %d sessions", v, len(g.sessions.until))
	}
	var ids []string
	for range maxSessions + 1 {
		ids = append(ids, g.sessions.start())
		now = now.Add(time.Second)
	}
	for i, id := range ids {
		if v := enter(id, remote("GET")); v.Admitted() != (i > 0) {
			t.Errorf("session %d: %+v", i, v)
		}
	}
	g.sessions.end([]string{"x", ids[3]})
	if v := enter(ids[3], remote("GET")); v.Admitted() || len(g.sessions.until) != maxSessions-1 {
		t.Errorf("after its logout: %+v, %d sessions", v, len(g.sessions.until))
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != maxSessions+1 || len(ids[0]) < 26 {
		t.Errorf("sessions that can be guessed: %q", ids)
	}
}
