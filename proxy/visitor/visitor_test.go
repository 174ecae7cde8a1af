package visitor

import (
	"net"
	"net/netip"
	"testing"

	"github.com/valyala/fasthttp"
)

// local trusts Apache on the same machine, and a load balancer's network.
var local = Trust{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.0.0.0/8")}

// request comes from peer; headers are name, value, name, value.
func request(peer net.Addr, headers ...string) *fasthttp.RequestCtx {
	var req fasthttp.Request
	req.Header.SetHost("www.example.org")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, peer, nil)
	return ctx
}

// TestOf: only trusted peers are believed about the client of a request.
func TestOf(t *testing.T) {
	const here, visitor = "127.0.0.1", "203.0.113.7"
	for name, tt := range map[string]struct {
		peer    string
		headers []string
		want    string // address proto host
	}{
		"no proxy between":        {visitor, nil, visitor + " http www.example.org"},
		"a stranger's claims":     {visitor, []string{"X-Forwarded-For", "1.1.1.1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil"}, visitor + " http www.example.org"},
		"a trusted one without":   {here, nil, here + " http www.example.org"},
		"a trusted one":           {here, []string{"X-Forwarded-For", visitor, "X-Forwarded-Proto", "https", "X-Forwarded-Host", "site.example"}, visitor + " https site.example"},
		"made up before it":       {here, []string{"X-Forwarded-For", "1.1.1.1, " + visitor}, visitor + " http www.example.org"},
		"several lines":           {here, []string{"X-Forwarded-For", "1.1.1.1", "X-Forwarded-For", visitor}, visitor + " http www.example.org"},
		"two trusted":             {here, []string{"X-Forwarded-For", "1.1.1.1, " + visitor + ",10.1.2.3"}, visitor + " http www.example.org"},
		"all trusted":             {here, []string{"X-Forwarded-For", "10.0.0.1, 10.1.2.3"}, "10.0.0.1 http www.example.org"},
		"garbage":                 {here, []string{"X-Forwarded-For", visitor + ", unknown"}, here + " http www.example.org"},
		"garbage behind trusted":  {here, []string{"X-Forwarded-For", visitor + ", _hidden, 10.1.2.3"}, "10.1.2.3 http www.example.org"},
		"an empty element":        {here, []string{"X-Forwarded-For", visitor + ","}, here + " http www.example.org"},
		"an empty header":         {here, []string{"X-Forwarded-For", ""}, here + " http www.example.org"},
		"with a port":             {here, []string{"X-Forwarded-For", visitor + ":4711"}, visitor + " http www.example.org"},
		"IPv6":                    {"::1", []string{"X-Forwarded-For", "2001:DB8::1"}, "2001:db8::1 http www.example.org"},
		"IPv6 in brackets":        {here, []string{"X-Forwarded-For", "[2001:db8::1]"}, "2001:db8::1 http www.example.org"},
		"IPv6 with a port":        {here, []string{"X-Forwarded-For", "[2001:db8::1]:80"}, "2001:db8::1 http www.example.org"},
		"IPv4 in brackets":        {here, []string{"X-Forwarded-For", "[203.0.113.7]"}, here + " http www.example.org"},
		"IPv4 as IPv6":            {"::ffff:127.0.0.1", []string{"X-Forwarded-For", "::ffff:203.0.113.7"}, visitor + " http www.example.org"},
		"trusted as IPv6":         {here, []string{"X-Forwarded-For", visitor + ", ::ffff:10.0.0.9"}, visitor + " http www.example.org"},
		"a zone":                  {here, []string{"X-Forwarded-For", "fe80::1%eth0"}, "fe80::1 http www.example.org"},
		"no address":              {here, []string{"X-Forwarded-For", "0.0.0.0"}, here + " http www.example.org"},
		"a list of hosts":         {here, []string{"X-Forwarded-Host", "evil, site.example", "X-Forwarded-Proto", "http,HTTPS"}, here + " https site.example"},
		"another protocol":        {here, []string{"X-Forwarded-Proto", "gopher"}, here + " http www.example.org"},
		"other headers of a kind": {here, []string{"Forwarded", "for=1.1.1.1;proto=https", "X-Real-Ip", "1.1.1.1"}, here + " http www.example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			v := local.Of(request(&net.TCPAddr{IP: net.ParseIP(tt.peer)}, tt.headers...))
			if got := v.Address.String() + " " + v.Proto + " " + v.Host; got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// TestOfUnixSocket: a peer on a Unix socket has no address, and its headers are believed.
func TestOfUnixSocket(t *testing.T) {
	for name, peer := range map[string]net.Addr{
		"without a name": &net.UnixAddr{Net: "unix"}, "abstract": &net.UnixAddr{Name: "@", Net: "unix"},
	} {
		t.Run(name, func(t *testing.T) {
			if v := local.Of(request(peer)); v.Address.IsValid() || v.Proto != "http" || v.Host != "www.example.org" {
				t.Errorf("alone: %+v", v)
			}
			v := Trust{}.Of(request(peer, "X-Forwarded-For", "1.1.1.1, 203.0.113.7", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "site.example"))
			if v.Address.String() != "203.0.113.7" || v.Proto != "https" || v.Host != "site.example" {
				t.Errorf("by way of a proxy: %+v", v)
			}
			if v := local.Of(request(peer, "X-Forwarded-For", "0.0.0.0")); v.Address.IsValid() {
				t.Errorf("no address: %+v", v)
			}
		})
	}
}

// FuzzLast: for any chain the result is an address of the chain or the peer's, in its plain
// form, and an untrusted address is never skipped.
func FuzzLast(f *testing.F) {
	for _, chain := range []string{"", ",", "1.1.1.1, 10.0.0.1", "[::1]:80, ::ffff:10.0.0.1", "unknown", "fe80::1%x,10.0.0.1:1", "[[::1]]", "1.1.1.1,,10.0.0.1"} {
		f.Add(chain)
	}
	f.Add("::%0") // no address, and has a zone
	inside := Trust{netip.MustParsePrefix("10.0.0.0/8")}
	peer, stranger := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("203.0.113.7")
	f.Fuzz(func(t *testing.T, chain string) {
		got := inside.last(peer, chain)
		if !got.IsValid() || got.IsUnspecified() || got.Is4In6() || got.Zone() != "" {
			t.Errorf("%q: %v", chain, got)
		}
		if again, err := netip.ParseAddr(got.String()); err != nil || again != got {
			t.Errorf("%q: %v is not the form that is sent", chain, got)
		}
		if got := inside.last(stranger, chain); got != stranger {
			t.Errorf("%q: a stranger became %v", chain, got)
		}
		// A trusted proxy appends to the visitor's header.
		if got := inside.last(peer, chain+", 203.0.113.7, 10.0.0.2"); got != stranger {
			t.Errorf("%q: the visitor became %v", chain, got)
		}
	})
}
