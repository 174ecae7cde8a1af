package proxy

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
	"github.com/lewistv/xcri-proxy/store/storetest/relay"
)

// claims counts the lookups that an engine gets.
type claims struct {
	fleet.Engine
	n atomic.Int64
}

func (c *claims) Claim(ctx context.Context, name, token string, lease time.Duration, sure bool) (fleet.Claim, error) {
	c.n.Add(1)
	return c.Engine.Claim(ctx, name, token, lease, sure)
}

// guests are two members of a fleet, and clients that request hits and misses from them
// without a pause. No request may fail, and no hit may become anything else.
type guests struct {
	t       *testing.T
	members []*Proxy
	bases   []string
	claims  []*claims
	hit     string
	cold    atomic.Int64
	answers [2]atomic.Int64 // by member
	aging   atomic.Bool     // hits may become stale: the log is lost while it has purges
	stop    func()
}

// withGuests starts the members with the addresses of their shared level, and the clients.
func withGuests(t *testing.T, opts Options, db *sql.DB, urls ...string) *guests {
	t.Helper()
	c := &guests{t: t, hit: warmTargets(live[0])[0]}
	for _, url := range urls {
		o := fleetOptions(t, opts, db, url)
		counted := &claims{Engine: o.Fleet.Engine}
		o.Fleet.Engine, o.Fleet.Pause = counted, 20*time.Millisecond
		p, base := start(t, o)
		c.members, c.bases, c.claims = append(c.members, p), append(c.bases, base), append(c.claims, counted)
	}
	c.up(true)
	steady(t, c.members)
	for _, base := range c.bases {
		await(t, "a hit", func() bool { return get(t, base, c.hit).outcome() == "hit" })
	}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() {
			for pause := time.Tick(2 * time.Millisecond); ctx.Err() == nil; <-pause {
				c.request(i%2, i/2 == 0)
				c.answers[i%2].Add(1)
			}
		})
	}
	c.stop = func() { stop(); clients.Wait() }
	t.Cleanup(func() {
		c.stop()
		for i, p := range c.members {
			if t.Failed() {
				t.Logf("member %d: %+v", i, p.fleet.Stats())
			}
		}
	})
	return c
}

// coldTarget returns a list that no client has requested.
func (c *guests) coldTarget() string {
	return fmt.Sprintf("/athletes/?season_year=2025&division=2030&gender=M&limit=2&offset=%d", c.cold.Add(1))
}

func (c *guests) request(member int, hit bool) {
	target := c.hit
	if !hit {
		target = c.coldTarget()
	}
	resp, err := http.Get(c.bases[member] + target)
	if err != nil {
		c.t.Error(err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
		c.t.Errorf("%s: %d, %v", target, resp.StatusCode, err)
	}
	stale := func(status string) bool { return c.aging.Load() && strings.HasSuffix(status, "detail=stale") }
	if status := resp.Header.Get("Cache-Status"); hit && !strings.HasSuffix(status, "detail=hit") && !stale(status) {
		c.t.Errorf("a hit became %q", status)
	}
}

// answered waits until each member has answered requests that begin in the present state.
func (c *guests) answered(what string) {
	c.t.Helper()
	for i := range c.answers {
		seen := c.answers[i].Load()
		await(c.t, what, func() bool { return c.answers[i].Load() >= seen+20 })
	}
}

// up waits until all links are up or down.
func (c *guests) up(want bool) {
	c.t.Helper()
	for i := range c.members {
		c.linked(i, want)
	}
}

func (c *guests) linked(i int, want bool) {
	c.t.Helper()
	await(c.t, fmt.Sprintf("link %d: %t", i, want), func() bool { return c.members[i].fleet.Stats().Up == want })
}

// unused holds that a member whose circuit breaker is open looks nothing up.
func (c *guests) unused(i int, what string) {
	c.t.Helper()
	c.linked(i, false)
	before, skipped := c.claims[i].n.Load(), c.members[i].fleet.Stats().Skipped
	c.answered(what)
	if n := c.claims[i].n.Load() - before; n > 2 { // that the clients had begun
		c.t.Errorf("%s: %d lookups in a level that is away", what, n)
	}
	await(c.t, "a miss without a lookup", func() bool { return c.members[i].fleet.Stats().Skipped > skipped })
}

// shared waits until the second member finds an answer that the first has filled.
func (c *guests) shared(what string) {
	c.t.Helper()
	c.up(true)
	await(c.t, what, func() bool {
		before, target := c.members[1].fleet.Stats().Hits, c.coldTarget()
		get(c.t, c.bases[0], target)
		get(c.t, c.bases[1], target)
		return c.members[1].fleet.Stats().Hits > before
	})
}

// fills returns the fills of all members.
func (c *guests) fills() (n int64) {
	for _, p := range c.members {
		n += p.cache.Stats().Fills
	}
	return n
}

// noHerd holds, without the other clients, that after a return many clients of both members
// that request the same lists cause one fill for each list, and that no entry is filled
// anew. It counts again if a circuit breaker has opened meanwhile, as on a busy machine.
func (c *guests) noHerd() {
	c.t.Helper()
	c.stop()
	for round := range 20 {
		c.up(true)
		lists, opened, before := coldLists(4 + 4*round)[4*round:], c.opened(), c.fills()
		var all sync.WaitGroup
		for i := range 32 {
			all.Go(func() {
				for _, target := range lists {
					get(c.t, c.bases[i%2], target)
				}
				c.request(i%2, true)
			})
		}
		all.Wait()
		n := c.fills() - before
		if c.opened() != opened {
			continue
		}
		if n != int64(len(lists)) {
			c.t.Errorf("%d fills of %d lists", n, len(lists))
		}
		return
	}
	c.t.Error("the circuit breakers do not stay closed")
}

// opened returns how often the circuit breakers have opened.
func (c *guests) opened() (n int64) {
	for _, p := range c.members {
		n += p.fleet.Stats().Opened
	}
	return n
}

// redisOutage is a way in which a Redis fails.
type redisOutage struct {
	name       string
	begin, end func()
	away       []int // the members that notice
}

// TestRedisFails: while clients request hits and misses from two proxies, their Redis fails
// in all ways. No request fails, no hit is lost, a proxy without its Redis does not ask it,
// and the proxies share again afterwards.
func TestRedisFails(t *testing.T) {
	opts, db := scratch(t)
	opts.Fleet.Budget = time.Second // of a machine that has other work, too
	t.Run("all", func(t *testing.T) {
		t.Run("one server", func(t *testing.T) { t.Parallel(); oneServer(t, opts, db) })
		t.Run("Sentinel and Cluster", func(t *testing.T) { t.Parallel(); severalServers(t, opts, db) })
	})
}

// severalServers runs a failover under Sentinel, and outages of the primaries of a cluster
// with and without a replica.
func severalServers(t *testing.T, opts Options, db *sql.DB) {
	watched, cluster := redisserver.StartWatched(t), redisserver.StartCluster(t)
	w, c := withGuests(t, opts, db, watched.URL, watched.URL), withGuests(t, opts, db, cluster.URL, cluster.URL)
	w.shared("Sentinel at first")
	c.shared("Cluster at first")
	watched.Primary.Kill()
	cluster.Nodes[0].Kill()
	w.answered("failing over")
	c.answered("failing over")
	for _, s := range []*redisserver.Server{watched.Replica, cluster.Replica} {
		await(t, "the new primary", func() bool { return s.IsPrimary() })
	}
	w.shared("after the failover under Sentinel")
	w.noHerd()
	c.shared("after the failover in the cluster")
	cluster.Nodes[2].Stop() // without a replica
	for i := range c.members {
		c.unused(i, "without a node")
	}
	cluster.Nodes[2].Continue()
	c.shared("with all nodes again")
	c.noHerd()
}

// oneServer runs the outages of one server. Each member has a way of its own to it.
func oneServer(t *testing.T, opts Options, db *sql.DB) {
	args, addr := redisserver.OnLoopback(t)
	s := redisserver.Start(t, args...)
	ways := []*relay.Relay{relay.Start(t, "127.0.0.1:0", addr), relay.Start(t, "127.0.0.1:0", addr)}
	var urls []string
	for _, way := range ways {
		host, port := way.Addr()
		urls = append(urls, fmt.Sprintf("redis://%s:%d", host, port))
	}
	control, err := net.Dial("tcp", addr) // it stays when the server takes no more connections
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	eval := func(script string) func() { return func() { s.Do("EVAL", script, "0") } }
	var c *guests
	damage := func(change string) func() { // of values that the second member reads
		return func() {
			before := c.members[1].fleet.Stats().Damaged
			await(t, "a damaged value", func() bool {
				target := c.coldTarget()
				get(t, c.bases[0], target)
				s.Do("EVAL", "for _, k in ipairs(redis.call('KEYS', '*:answer:*')) do "+change+" end", "0")
				get(t, c.bases[1], target)
				return c.members[1].fleet.Stats().Damaged > before
			})
		}
	}
	cut := func() {
		for _, way := range ways {
			way.Cut()
		}
	}
	both := []int{0, 1}
	c = withGuests(t, opts, db, urls...)
	for _, o := range []redisOutage{
		{"stopped", s.Stop, s.Continue, both},
		{"partitioned from one member", func() { ways[1].Silence(true); ways[1].Freeze() }, func() { ways[1].Silence(false); ways[1].Cut() }, []int{1}},
		{"slow", func() { ways[0].Delay(3 * time.Second) }, func() { ways[0].Delay(0); ways[0].Cut() }, []int{0}},
		{"full", func() { s.Do("CONFIG", "SET", "maxmemory", "1"); c.full() }, func() { s.Do("CONFIG", "SET", "maxmemory", "0") }, nil},
		{"flushed", func() { s.Do("FLUSHALL") }, nil, nil},
		{"garbage", damage(`if string.sub(k, -5) ~= ':lock' then redis.call('SET', k, '1garbage') end`), nil, nil},
		{"records of another format", damage(`local v = redis.pcall('GET', k)
			if type(v) == 'string' then redis.call('SET', k, (string.gsub(v, 'record %d', 'record 9', 1))) end`), nil, nil},
		{"values of other types", eval(`for _, k in ipairs(redis.call('KEYS', 'xcri-proxy:*')) do redis.call('DEL', k); redis.call('RPUSH', k, 'x') end`), nil, nil},
		{"a log that is at its end", eval(`for _, k in ipairs(redis.call('KEYS', '*:log')) do redis.call('XADD', k, '18446744073709551615-18446744073709551615', 'x', 'y') end`), nil, nil},
		{"a replica", func() { s.Do("REPLICAOF", "127.0.0.1", "1") }, func() { s.Do("REPLICAOF", "NO", "ONE") }, both},
		{"another password", func() { s.Do("CONFIG", "SET", "requirepass", "other"); cut() }, func() { fmt.Fprint(control, "CONFIG SET requirepass \"\"\r\n") }, both},
		{"without connections left", func() { s.Do("CONFIG", "SET", "maxclients", "1"); cut() }, func() { fmt.Fprint(control, "CONFIG SET maxclients 1000\r\n") }, both},
		{"killed", s.Kill, s.Run, both},
	} {
		o.begin()
		for _, i := range o.away {
			c.unused(i, o.name)
		}
		c.answered(o.name)
		if o.end != nil {
			o.end()
		}
		c.shared("after: " + o.name)
	}
	c.noHerd()
}

// full waits until the level has refused a value of each member.
func (c *guests) full() {
	c.t.Helper()
	for _, p := range c.members {
		before := p.fleet.Stats().Full
		await(c.t, "a refused value", func() bool { return p.fleet.Stats().Full > before })
	}
}

// TestWithoutRedis: a proxy whose Redis is not there at the start serves, and uses it once
// it is.
func TestWithoutRedis(t *testing.T) {
	opts, db := scratch(t)
	s := redisserver.Start(t)
	s.Kill()
	p, base := start(t, fleetOptions(t, opts, db, s.URL))
	if a := get(t, base, warmTargets(live[0])[0]); a.status != 200 {
		t.Errorf("%d", a.status)
	}
	s.Run()
	await(t, "the link", func() bool { return p.fleet.Stats().Up })
}
