package share

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
)

func of(address string) netip.Prefix { return Of(netip.MustParseAddr(address)) }

func TestOf(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
	} {
		if same := of(tt.a) == of(tt.b); same != tt.same {
			t.Errorf("%s and %s: %t", tt.a, tt.b, same)
		}
	}
}

// TestShare: a client may wait for a limited number of answers of each lane; further
// requests for the same answers, other lanes and other clients do not count against that.
func TestShare(t *testing.T) {
	s := New(Limits{Requests: 6, Fills: [cache.Lanes]int{cache.Quick: 4, cache.Costly: 2}})
	a, b := of("192.0.2.1"), of("192.0.2.2")
	for _, step := range []struct {
		client netip.Prefix
		lane   cache.Lane
		key    string
		want   bool
	}{
		{a, cache.Costly, "1", true},
		{a, cache.Costly, "2", true},
		{a, cache.Costly, "3", false},
		{a, cache.Costly, "1", true}, // coalesced
		{b, cache.Costly, "3", true},
		{a, cache.Heavy, "list", true}, // no limit
		{a, cache.Quick, "4", true},
		{a, cache.Quick, "5", true},
		{a, cache.Quick, "5", false}, // the seventh request
		{a, cache.Costly, "3", false},
	} {
		if got := s.Enter(step.client, step.lane, step.key); got != step.want {
			t.Errorf("%+v: %t", step, got)
		}
	}
	if r := s.Refused(); r["costly"] != 1 || r["requests"] != 2 || r["quick"] != 0 {
		t.Errorf("refused: %v", r)
	}
	s.Leave(a, cache.Costly, "1")
	if s.Enter(a, cache.Costly, "3") {
		t.Error("another request still waits for the answer")
	}
	s.Leave(a, cache.Costly, "1")
	if !s.Enter(a, cache.Costly, "3") {
		t.Error("there is room again")
	}
}

// TestSharesForget: no client is left in memory once its requests have ended.
func TestSharesForget(t *testing.T) {
	s := New(Default)
	random := rand.New(rand.NewPCG(1, 1))
	type wait struct {
		of   netip.Prefix
		lane cache.Lane
		key  string
	}
	var waits []wait
	for i := range 20000 {
		if len(waits) > 0 && random.IntN(2) == 0 {
			j := random.IntN(len(waits))
			s.Leave(waits[j].of, waits[j].lane, waits[j].key)
			waits = append(waits[:j], waits[j+1:]...)
			continue
		}
		lane := cache.Lane(random.IntN(int(cache.Lanes)))
		w := wait{of("192.0.2." + strconv.Itoa(i%250)), lane, lane.String() + strconv.Itoa(random.IntN(9))}
		if s.Enter(w.of, w.lane, w.key) {
			waits = append(waits, w)
		}
	}
	for _, w := range waits {
		s.Leave(w.of, w.lane, w.key)
	}
	if len(s.clients) != 0 {
		t.Errorf("%d clients are left", len(s.clients))
	}
}

// TestDefaultFitsAnOffice: 200 visitors behind one address who each open another page
// with two answers by key, two lists that they share and one search in twenty.
func TestDefaultFitsAnOffice(t *testing.T) {
	s := New(Default)
	for visitor := range 200 {
		office, n := of("192.0.2.1"), strconv.Itoa(visitor)
		fits := s.Enter(office, cache.Quick, "athlete"+n) && s.Enter(office, cache.Quick, "components"+n) &&
			s.Enter(office, cache.Heavy, "list"+strconv.Itoa(visitor%20)) && s.Enter(office, cache.Heavy, "teams"+strconv.Itoa(visitor%20)) &&
			(visitor%20 > 0 || s.Enter(office, cache.Costly, "search"+n))
		if !fits {
			t.Fatalf("visitor %d is refused: %v", visitor, s.Refused())
		}
	}
}

// TestBusiest holds that the client with the most waiting requests is known, and the
// client that was refused last.
func TestBusiest(t *testing.T) {
	s := New(Limits{Requests: 3})
	a, b := of("192.0.2.1"), of("192.0.2.2")
	if of, n := s.Busiest(); of.IsValid() || n != 0 {
		t.Errorf("%v, %d", of, n)
	}
	s.Enter(a, cache.Quick, "1")
	for range 3 {
		s.Enter(b, cache.Quick, "1")
	}
	if of, n := s.Busiest(); of != b || n != 3 {
		t.Errorf("%v, %d", of, n)
	}
	if last := s.Last(); last.Count != 0 || !last.At.IsZero() {
		t.Errorf("%+v", last)
	}
	for range 2 {
		if s.Enter(b, cache.Quick, "2") {
			t.Error("admitted")
		}
	}
	if last := s.Last(); last.Client != b || last.Count != 2 || last.At.IsZero() {
		t.Errorf("%+v", last)
	}
	for range 2 {
		s.Enter(a, cache.Quick, "1")
	}
	if s.Enter(a, cache.Quick, "2") {
		t.Error("admitted")
	}
	if last := s.Last(); last.Client != a || last.Count != 1 {
		t.Errorf("%+v", last)
	}
	for range 3 {
		s.Leave(b, cache.Quick, "1")
	}
	if of, n := s.Busiest(); of != a || n != 3 {
		t.Errorf("%v, %d", of, n)
	}
}
