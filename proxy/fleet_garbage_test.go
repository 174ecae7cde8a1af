package proxy

import (
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/promtext"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
)

// TestForeignWriter: while clients request hits and misses from two proxies, another program
// writes garbage under all names in their Redis. No request fails, no circuit breaker opens,
// and both proxies list each other, publish imports and do each other's purges. A hit becomes
// stale at most: a proxy may not have received the last purge of a log that is replaced.
func TestForeignWriter(t *testing.T) {
	opts, db := scratch(t)
	opts.Fleet.Budget = 10 * time.Second // no circuit breaker opens because the machine is slow
	s := redisserver.Start(t)
	c := withGuests(t, opts, db, s.URL, s.URL)
	version := 0
	works := func(after string) {
		t.Helper()
		c.answered(after)
		version++
		if err := importer.Import(t.Context(), db, live[3], version, importer.Options{}); err != nil {
			t.Fatal(err)
		}
		for i, p := range c.members {
			await(t, after+": both publish", func() bool { return publishedVersion(p) == version })
			await(t, after+": both are listed", func() bool { return len(p.fleet.Members()) == 2 && len(p.fleet.Gone()) == 0 })
			promtext.Parse(t, get(t, c.bases[i], "/metrics").body)
		}
		for i := range c.bases {
			target := c.coldTarget()
			await(t, after+": a hit", func() bool { return get(t, c.bases[1-i], target).outcome() == "hit" })
			if a := post(t, c.bases[i], "/cache/purge", `{"path":"`+target+`","hard":true}`); a.status != 200 {
				t.Errorf("%s: purge: %d %s", after, a.status, a.body)
			}
			await(t, after+": the purge on the other member", func() bool { return get(t, c.bases[1-i], target).outcome() != "hit" })
		}
	}
	works("nothing")
	c.aging.Store(true)
	// Locks stay: a foreign lock of an answer costs its lease, which is long for this budget.
	replace := func(names, command string) string {
		return "for _, k in ipairs(redis.call('KEYS', '" + names + "')) do if string.sub(k, -5) ~= ':lock' then redis.call('DEL', k) redis.call(" + command + ") end end return 1"
	}
	const all, shared = "xcri-proxy:*", "xcri-proxy:1:{fleet}:*"
	for kind, script := range map[string]string{
		"sets":                      replace(all, "'SADD', k, 'x', string.rep('x', 3000)"),
		"hashes":                    replace(all, "'HSET', k, 'name', string.rep('x', 3000), 'data', '1', 'y', '9999999999999:{}'"),
		"texts that are too long":   replace(shared, "'SET', k, string.rep('1', 3000000)"),
		"empty texts":               replace(all, "'SET', k, ''"),
		"texts that are no answers": replace("*:answer:*", "'SET', k, '1\\0{'"),
		"reports of the far future": "for _, k in ipairs({'members', 'gone'}) do for i = 1, 20 do redis.call('HSET', 'xcri-proxy:1:{fleet}:' .. k, i, '9999999999999:{\"name\":\"ghost\"}') end end return 1",
		"endless reports":           "for _, k in ipairs({'members', 'gone'}) do redis.call('HSET', 'xcri-proxy:1:{fleet}:' .. k, 'x', string.rep('9', 400) .. ':{\"name\":\"' .. string.rep('x', 1000000) .. '\"}') end return 1",
		"messages":                  "for _, k in ipairs({'filled', 'logged', 'seen', 'decided', 'held', 'x'}) do for _, m in ipairs({'', '\\0', 'x', string.rep('x', 1000000)}) do redis.call('PUBLISH', 'xcri-proxy:1:fleet:' .. k, m) end end return 1",
	} {
		s.Do("EVAL", script, "0")
		works(kind)
	}
	c.stop()
	damaged := int64(0)
	for _, p := range c.members {
		s := p.fleet.Stats()
		damaged += s.Damaged
		if s.Opened != 0 || s.Errors != 0 || !s.Up {
			t.Errorf("%+v", s)
		}
	}
	if damaged < 20 {
		t.Errorf("%d damaged values", damaged)
	}
}
