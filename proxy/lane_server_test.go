package proxy

import (
	"database/sql"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/share"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/readapi"
)

// lockedTable serves a proxy on a scratch database of which a table is locked until
// unlock. waiting returns how many statements wait for the lock.
func lockedTable(t *testing.T, table string, change ...func(*store.Options)) (p *Proxy, base string, waiting func() int, unlock func()) {
	t.Helper()
	opts, db := scratch(t, change...)
	opts.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	opts.Clients = share.Default
	opts.Cache.FillTimeout, opts.Cache.WaitTimeout = time.Minute, time.Minute // for a slow machine
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	base = listen(t, p)
	await(t, "the warm set is published", func() bool {
		s := p.generations.Status()
		return s.Published > 0 && !s.Warming && p.cache.Stats().Filling == 0
	})
	lock, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run := func(statement string) {
		if _, err := lock.ExecContext(t.Context(), statement); err != nil {
			t.Error(err)
		}
	}
	run("LOCK TABLES " + table + " WRITE")
	unlock = func() { run("UNLOCK TABLES") }
	t.Cleanup(func() { lock.Close() })
	return p, base, func() int { return lockWaits(t, db) }, unlock
}

func lockWaits(t *testing.T, db *sql.DB) (n int) {
	if err := db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table%' AND db = DATABASE() AND info NOT LIKE '%information_schema%'").Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}

// request sends a request on a connection of its own and does not wait for the answer.
func request(t *testing.T, base, target string, headers ...string) net.Conn {
	t.Helper()
	conn := dial(t, base)
	t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", target, strings.Join(headers, "")); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestSearchEndsWithItsClients: the statement of a search ends in the server once all of
// its clients have left. The statements of other reads go on.
func TestSearchEndsWithItsClients(t *testing.T) {
	p, base, waiting, unlock := lockedTable(t, readapi.AthleteTable)
	defer unlock()
	const search = "/athletes/?season_year=2025&search=a%25b"
	first, second := request(t, base, search), request(t, base, search)
	list := request(t, base, "/athletes/?season_year=2025&limit=7")
	await(t, "the requests wait", func() bool { return waiting() == 2 && p.cache.Stats().Waiting == 3 })
	first.Close()
	await(t, "one client is gone", func() bool { return p.cache.Stats().Waiting == 2 })
	if n := waiting(); n != 2 {
		t.Errorf("%d statements run, although a client waits for each of two", n)
	}
	second.Close()
	list.Close()
	await(t, "the search is ended in the server", func() bool { return waiting() == 1 })
	await(t, "the search's fill is abandoned", func() bool { s := p.cache.Stats(); return s.Abandoned == 1 && s.Filling == 1 })
	if s := p.cache.Stats(); s.Failures != 0 {
		t.Errorf("%+v", s)
	}
}

// TestLockedTableHoldsNoOthers: however many requests wait for rows of a locked table,
// answers from other tables come.
func TestLockedTableHoldsNoOthers(t *testing.T) {
	p, base, waiting, unlock := lockedTable(t, readapi.AthleteTable)
	defer unlock()
	for i := range 12 {
		request(t, base, fmt.Sprintf("/athletes/%d?season_year=2025", i+1))
		request(t, base, fmt.Sprintf("/athletes/?season_year=2025&limit=%d", i+1))
	}
	await(t, "they wait", func() bool { return waiting() == 4 && p.cache.Stats().Waiting == 24 })
	for _, target := range []string{"/metadata/?limit=3", "/team-knockout/?limit=3", "/teams/?limit=3", "/scs/leaderboard/saga"} {
		if a := get(t, base, target); a.status/100 == 5 || a.outcome() != cache.Miss.String() {
			t.Errorf("%s: %d %s %.200s", target, a.status, a.outcome(), a.body)
		}
	}
	if n := waiting(); n != 4 {
		t.Errorf("%d statements wait for the lock, want 4", n)
	}
}

// TestClientShare: a client gets a 429 for one search more than its share, other clients
// and requests from this machine do not, and hits are answered all the while.
func TestClientShare(t *testing.T) {
	p, base, _, unlock := lockedTable(t, readapi.AthleteTable)
	defer unlock()
	const greedy, other = "X-Forwarded-For: 192.0.2.7\r\n", "X-Forwarded-For: 192.0.2.8\r\n"
	get(t, base, "/metadata/?limit=2")
	search := func(i int) string { return fmt.Sprintf("/athletes/?season_year=2025&search=ab%d", i) }
	for i := range 16 {
		request(t, base, search(i), greedy)
	}
	await(t, "the greedy client's requests wait", func() bool { return p.cache.Stats().Waiting == 16 })
	a := get(t, base, search(16), "X-Forwarded-For", "192.0.2.7")
	if a.status != 429 || a.header.Get("Retry-After") == "" || !strings.HasPrefix(a.body, `{"detail":"`) || a.outcome() != cache.Error.String() {
		t.Errorf("one search too many: %+v", a)
	}
	if a := get(t, base, "/metadata/?limit=2", "X-Forwarded-For", "192.0.2.7"); a.status != 200 || a.outcome() != cache.Hit.String() {
		t.Errorf("a hit: %+v", a)
	}
	request(t, base, search(16), other)
	request(t, base, search(17))
	request(t, base, search(3), greedy) // another request for an answer that the client waits for
	await(t, "the others wait", func() bool { return p.cache.Stats().Waiting == 19 })
	if r := p.admin.Stats().Requests.ClientRefused; r["costly"] != 1 || r["requests"]+r["quick"]+r["heavy"] != 0 {
		t.Errorf("refused: %v", r)
	}
	await(t, "a search of another client has a slot", func() bool { return p.cache.Stats().Lanes[cache.Costly].Running == 2 })
}
