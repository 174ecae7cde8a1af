package gate

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// guesser sends wrong tokens at times that the test sets.
type guesser struct {
	*Gate
	now time.Time
	log bytes.Buffer
}

func newGuesser() *guesser {
	g := &guesser{now: time.Unix(1e9, 0)}
	g.Gate = New(Options{Token: token, Now: func() time.Time { return g.now }, Logger: slog.New(slog.NewTextHandler(&g.log, nil))})
	return g
}

func (g *guesser) ask(from, with string) Verdict {
	r := remote("GET", bearer(with))
	r.Visitor, _ = netip.ParseAddr(from)
	return g.Decide(r, read)
}

func (g *guesser) lines() int { return strings.Count(g.log.String(), "\n") }

// TestWrongTokensAreSlowed: an address may send burst wrong tokens, then one in each
// pause; over the limit even the right token is not compared. Other addresses are not
// affected.
func TestWrongTokensAreSlowed(t *testing.T) {
	g := newGuesser()
	const guest, other = "203.0.113.7", "203.0.113.8"
	for i := range burst {
		if v := g.ask(guest, "x"); v.Status != 403 || v.Wait != 0 {
			t.Fatalf("wrong token %d: %+v", i, v)
		}
	}
	for _, with := range []string{"x", token} {
		if v := g.ask(guest, with); v.Status != 429 || v.Cause != CauseLimited || v.Wait != pause || v.Reason == "" {
			t.Errorf("%s: %+v", with, v)
		}
	}
	if v := g.ask(other, token); !v.Admitted() {
		t.Errorf("another address: %+v", v)
	}
	if v := g.ask("", token); !v.Admitted() {
		t.Errorf("no address: %+v", v)
	}
	g.now = g.now.Add(pause - time.Millisecond)
	if v := g.ask(guest, token); v.Wait != time.Millisecond {
		t.Errorf("a moment before its time: %+v", v)
	}
	g.now = g.now.Add(time.Millisecond)
	if v := g.ask(guest, "x"); v.Status != 403 {
		t.Errorf("after a pause: %+v", v)
	}
	if v := g.ask(guest, "x"); v.Status != 429 {
		t.Errorf("a second token after it: %+v", v)
	}
	g.now = g.now.Add(pause)
	for range 3 * burst { // right tokens cost nothing
		if v := g.ask(guest, token); !v.Admitted() {
			t.Fatalf("the right token: %+v", v)
		}
	}
	g.now = g.now.Add(burst * pause)
	for i := range burst { // and none is saved up beyond burst
		if v := g.ask(guest, "x"); v.Status != 403 {
			t.Errorf("%d much later: %+v", i, v)
		}
	}
	if v := g.ask(guest, "x"); v.Status != 429 {
		t.Errorf("much later: %+v", v)
	}
}

// TestNetworksShareAnAllowance: all addresses of an IPv6 network share one allowance.
func TestNetworksShareAnAllowance(t *testing.T) {
	g := newGuesser()
	for range burst {
		g.ask("2001:db8:1:2::1", "x")
	}
	for from, status := range map[string]int{
		"2001:db8:1:2::1": 429, "2001:db8:1:2:ffff:ffff:ffff:ffff": 429, "2001:db8:1:3::1": 200, "2001:db8::1": 200, "0.0.0.0": 200, "": 200,
	} {
		if v := g.ask(from, token); v.Status != status {
			t.Errorf("%s: %+v", from, v)
		}
	}
	for range burst {
		g.ask("203.0.113.7", "x")
	}
	if v := g.ask("203.0.113.6", token); !v.Admitted() {
		t.Errorf("its neighbour: %+v", v)
	}
}

// TestAddressTableIsBounded: addresses that do not fit in the table share one
// allowance, until entries of the table expire.
func TestAddressTableIsBounded(t *testing.T) {
	g := newGuesser()
	address := func(i int) string { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String() }
	for i := range maxAddresses {
		if v := g.ask(address(i), "x"); v.Status != 403 {
			t.Fatalf("address %d: %+v", i, v)
		}
	}
	for i := range 2 * burst {
		want := 403
		if i >= burst {
			want = 429
		}
		if v := g.ask(address(maxAddresses+i), "x"); v.Status != want {
			t.Errorf("address %d: %+v", maxAddresses+i, v)
		}
	}
	if v := g.ask(address(0), token); !v.Admitted() || len(g.limiter.addresses) != maxAddresses {
		t.Errorf("an address in it: %+v of %d", v, len(g.limiter.addresses))
	}
	g.now = g.now.Add(pause)
	if v := g.ask(address(maxAddresses), "x"); v.Status != 403 || len(g.limiter.addresses) != 1 {
		t.Errorf("later: %+v, %d addresses", v, len(g.limiter.addresses))
	}
	for i := range maxAddresses {
		g.ask(address(i), token)
	}
	if len(g.limiter.addresses) != 1 {
		t.Errorf("right tokens took %d places", len(g.limiter.addresses)-1)
	}
}

// TestWrongTokensAreLogged: wrong tokens are logged once a minute for an address and
// ten times a minute in all, with the number of suppressed lines.
func TestWrongTokensAreLogged(t *testing.T) {
	g := newGuesser()
	for range 2 * burst {
		g.ask("203.0.113.7", "x")
	}
	want := `level=WARN msg="wrong admin token" address=203.0.113.7 wrong_since_last_report=`
	if text := g.log.String(); g.lines() != 1 || !strings.Contains(text, want+"1\n") || strings.Contains(text, token) {
		t.Errorf("%s", text)
	}
	g.now = g.now.Add(logEvery)
	g.ask("203.0.113.7", "x")
	if text := g.log.String(); g.lines() != 2 || !strings.Contains(text, want+"20\n") {
		t.Errorf("a minute later: %s", text)
	}
	for i := range 50 {
		g.ask(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String(), "x")
	}
	if g.lines() != 1+maxLogged {
		t.Errorf("%d lines of many addresses", g.lines())
	}
	g.now = g.now.Add(logEvery)
	g.ask("", "x")
	if text := g.log.String(); g.lines() != 2+maxLogged || !strings.Contains(text, "address=unknown wrong_since_last_report=42\n") {
		t.Errorf("another minute later: %s", text)
	}
	g.ask("198.51.100.1", token)
	if g.lines() != 2+maxLogged {
		t.Error("a right token was logged")
	}
}

// TestConcurrentGuessesAreCounted: concurrent attempts are counted one by one.
func TestConcurrentGuessesAreCounted(t *testing.T) {
	g := newGuesser()
	var compared atomic.Int64
	var done sync.WaitGroup
	for range 100 {
		done.Go(func() {
			if v := g.ask("203.0.113.7", "x"); v.Status == 403 {
				compared.Add(1)
			}
		})
	}
	done.Wait()
	if compared.Load() != burst {
		t.Errorf("%d were compared, want %d", compared.Load(), burst)
	}
}
