package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
)

// TestRedisFails: while clients request hits and misses from two proxies, their Redis is
// stopped, killed, started empty, full, flushed, and holds garbage. No request fails, and
// the proxies share again afterwards.
func TestRedisFails(t *testing.T) {
	opts, db := scratch(t)
	s := redisserver.Start(t)
	opts.Fleet.Budget = time.Second // of a machine that has other work, too
	members, bases := join(t, 2, opts, db, s.URL)
	var next atomic.Int64
	cold := func() string { // a list that no client has requested
		return fmt.Sprintf("/athletes/?season_year=2025&division=2030&gender=M&limit=%d", 1000+next.Add(1))
	}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var answers atomic.Int64
	hit := warmTargets(live[0])[0]
	for i := range 8 {
		clients.Go(func() {
			for ctx.Err() == nil {
				target := hit
				if i%2 == 0 {
					target = cold()
				}
				resp, err := http.Get(bases[i%4/2] + target)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
					t.Errorf("%s: %d, %v", target, resp.StatusCode, err)
				}
				resp.Body.Close()
				answers.Add(1)
			}
		})
	}
	answered := func(what string) { // some requests, that begin in the present state
		t.Helper()
		seen := answers.Load()
		await(t, what, func() bool { return answers.Load() >= seen+40 })
	}
	up := func(want bool) {
		t.Helper()
		for i, p := range members {
			await(t, fmt.Sprintf("link %d: %t", i, want), func() bool { return p.fleet.Stats().Up == want })
		}
	}
	shared := func(what string) { // an answer of one member is found by the other
		t.Helper()
		up(true)
		await(t, what, func() bool {
			before, target := members[1].fleet.Stats().Hits, cold()
			get(t, bases[0], target)
			await(t, "the lookup", func() bool { return members[0].fleet.Stats().Puts > 0 })
			get(t, bases[1], target)
			return members[1].fleet.Stats().Hits > before
		})
	}
	shared("at first")
	s.Stop()
	up(false)
	answered("stopped")
	s.Continue()
	shared("continued")
	s.Kill()
	up(false)
	answered("killed")
	s.Run()
	shared("started again")
	s.Do("CONFIG", "SET", "maxmemory", "1")
	answered("full")
	for _, p := range members {
		await(t, "a refused value", func() bool { return p.fleet.Stats().Full > 0 })
	}
	s.Do("CONFIG", "SET", "maxmemory", "0")
	shared("with room again")
	s.Do("FLUSHALL")
	answered("flushed")
	shared("after the flush")
	s.Do("EVAL", `for _, k in ipairs(redis.call('KEYS', '*answer*')) do redis.call('SET', k, '1garbage') end`, "0")
	answered("garbage")
	s.Do("EVAL", `for _, k in ipairs(redis.call('KEYS', '*answer*')) do redis.call('DEL', k); redis.call('LPUSH', k, 'x') end`, "0")
	answered("another type")
	shared("after the garbage")
	stop()
	clients.Wait()
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
