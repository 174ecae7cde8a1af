package legacy

import (
	"net/netip"
	"testing"
)

// TestWhence: who is believed about where a request comes from.
func TestWhence(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1", trusting())
	const local, visitor = "127.0.0.1", "203.0.113.7"
	for name, tt := range map[string]struct {
		peer    string
		headers []string
		want    string // address proto host
	}{
		"nobody between":          {visitor, nil, visitor + " http www.example.org"},
		"a stranger's claims":     {visitor, []string{"X-Forwarded-For", "1.1.1.1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil"}, visitor + " http www.example.org"},
		"a trusted one without":   {local, nil, local + " http www.example.org"},
		"a trusted one":           {local, []string{"X-Forwarded-For", visitor, "X-Forwarded-Proto", "https", "X-Forwarded-Host", "site.example"}, visitor + " https site.example"},
		"made up before it":       {local, []string{"X-Forwarded-For", "1.1.1.1, " + visitor}, visitor + " http www.example.org"},
		"several lines":           {local, []string{"X-Forwarded-For", "1.1.1.1", "X-Forwarded-For", visitor}, visitor + " http www.example.org"},
		"two trusted":             {local, []string{"X-Forwarded-For", "1.1.1.1, " + visitor + ",10.1.2.3"}, visitor + " http www.example.org"},
		"all trusted":             {local, []string{"X-Forwarded-For", "10.0.0.1, 10.1.2.3"}, "10.0.0.1 http www.example.org"},
		"garbage":                 {local, []string{"X-Forwarded-For", visitor + ", unknown"}, local + " http www.example.org"},
		"garbage behind trusted":  {local, []string{"X-Forwarded-For", visitor + ", _hidden, 10.1.2.3"}, "10.1.2.3 http www.example.org"},
		"an empty element":        {local, []string{"X-Forwarded-For", visitor + ","}, local + " http www.example.org"},
		"an empty header":         {local, []string{"X-Forwarded-For", ""}, local + " http www.example.org"},
		"with a port":             {local, []string{"X-Forwarded-For", visitor + ":4711"}, visitor + " http www.example.org"},
		"IPv6":                    {"::1", []string{"X-Forwarded-For", "2001:DB8::1"}, "2001:db8::1 http www.example.org"},
		"IPv6 in brackets":        {local, []string{"X-Forwarded-For", "[2001:db8::1]"}, "2001:db8::1 http www.example.org"},
		"IPv6 with a port":        {local, []string{"X-Forwarded-For", "[2001:db8::1]:80"}, "2001:db8::1 http www.example.org"},
		"IPv4 in brackets":        {local, []string{"X-Forwarded-For", "[203.0.113.7]"}, local + " http www.example.org"},
		"IPv4 as IPv6":            {"::ffff:127.0.0.1", []string{"X-Forwarded-For", "::ffff:203.0.113.7"}, visitor + " http www.example.org"},
		"trusted as IPv6":         {local, []string{"X-Forwarded-For", visitor + ", ::ffff:10.0.0.9"}, visitor + " http www.example.org"},
		"a zone":                  {local, []string{"X-Forwarded-For", "fe80::1%eth0"}, "fe80::1 http www.example.org"},
		"no address":              {local, []string{"X-Forwarded-For", "0.0.0.0"}, local + " http www.example.org"},
		"a list of hosts":         {local, []string{"X-Forwarded-Host", "evil, site.example", "X-Forwarded-Proto", "http,HTTPS"}, local + " https site.example"},
		"another protocol":        {local, []string{"X-Forwarded-Proto", "gopher"}, local + " http www.example.org"},
		"other headers of a kind": {local, []string{"Forwarded", "for=1.1.1.1;proto=https", "X-Real-Ip", "1.1.1.1"}, local + " http www.example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			w := c.whence(visitFrom(tt.peer, "GET", "/x", tt.headers...))
			if got := w.address.String() + " " + w.proto + " " + w.host; got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// FuzzVisitorAddress: whatever the chain says, the result is an address that was
// in it or the peer's, in its plain form, and a stranger is never talked away.
func FuzzVisitorAddress(f *testing.F) {
	for _, chain := range []string{"", ",", "1.1.1.1, 10.0.0.1", "[::1]:80, ::ffff:10.0.0.1", "unknown", "fe80::1%x,10.0.0.1:1", "[[::1]]", "1.1.1.1,,10.0.0.1"} {
		f.Add(chain)
	}
	f.Add("::%0") // no address, and has a zone
	inside := netip.MustParsePrefix("10.0.0.0/8")
	peer, stranger := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("203.0.113.7")
	f.Fuzz(func(t *testing.T, chain string) {
		got := visitorAddress(peer, chain, inside.Contains)
		if !got.IsValid() || got.IsUnspecified() || got.Is4In6() || got.Zone() != "" {
			t.Errorf("%q: %v", chain, got)
		}
		if again, err := netip.ParseAddr(got.String()); err != nil || again != got {
			t.Errorf("%q: %v is not what is sent", chain, got)
		}
		if got := visitorAddress(stranger, chain, inside.Contains); got != stranger {
			t.Errorf("%q: a stranger became %v", chain, got)
		}
		// What a visitor sends is before what a trusted proxy adds.
		if got := visitorAddress(peer, chain+", 203.0.113.7, 10.0.0.2", inside.Contains); got != stranger {
			t.Errorf("%q: the visitor became %v", chain, got)
		}
	})
}
