package proxy

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/promtext"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
	"github.com/lewistv/xcri-proxy/store/storetest/relay"
	"github.com/lewistv/xcri-proxy/store/storetest/stores"
)

// playFleet: of three members the second loses the Redis, and the third its database: it
// publishes an import with the first. A fourth member reports that it has not published. The
// figures, the metrics and the ops room of the first member show all that, and the ops room
// of the second member the lost Redis.
func playFleet(t *testing.T, b *browser, script string) {
	opts, db := scratch(t)
	opts.Version = "v9"
	opts.Fleet.Budget = time.Second // the members wait 5 s for the member without its database
	shared := redisserver.Start(t)
	alone, third := fleetOptions(t, opts, db, shared.URL), fleetOptions(t, opts, db, shared.URL)
	way, s := throughRelay(t, db)
	third.Origin = s
	var bases []string
	var members []*Proxy
	for _, o := range []Options{fleetOptions(t, opts, db, shared.URL), alone, third} {
		p, base := start(t, o)
		members, bases = append(members, p), append(bases, base)
	}
	fleet := func(i int) (f api.Fleet) {
		var stats struct{ Fleet *api.Fleet }
		if err := json.Unmarshal([]byte(get(t, bases[i], "/cache/stats").body), &stats); err != nil || stats.Fleet == nil {
			t.Fatalf("%v", err)
		}
		return *stats.Fleet
	}
	await(t, "three members", func() bool {
		f := fleet(0)
		for _, m := range f.Members {
			if m.Version != "v9" || m.Generation == "" || m.Calculated == "" || m.Health == "" || m.Behind != nil {
				return false
			}
		}
		return len(f.Members) == 3 && f.State == api.BreakerClosed
	})
	for _, i := range []int{0, 1} {
		get(t, bases[i], coldLists(1)[0])
	}
	if f := fleet(1); f.Hits == 0 && f.Misses == 0 || f.Latency.Count == 0 || f.Read == 0 && f.Written == 0 {
		t.Errorf("%+v", f)
	}
	b.open(bases[0] + "/cache/")
	b.await(`document.querySelectorAll('#members tbody tr').length === 3 && document.querySelector('#tiles').innerText.includes('shared level up')`)

	way.Close()
	alone.Fleet.Engine.Close()
	const behind = "behind:8000"
	before := fleet(0).Members[0].Calculated
	if err := importer.Import(t.Context(), db, importer.Scope{Season: 2025, Division: 2030, Gender: "M"}, 7, importer.Options{}); err != nil {
		t.Fatal(err)
	}
	haunt(t, shared, `{"name":"`+behind+`","version":"v8","calculated_at":"`+before+`","health":"well"}`)
	var f api.Fleet
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the first member's fleet: %+v", f)
			for i := range bases {
				t.Log(i, get(t, bases[i], "/cache/stats").body)
			}
		}
	})
	await(t, "a member gone, a member without its database and a member behind", func() bool {
		f = fleet(0)
		if len(f.Members) != 3 || len(f.Gone) != 1 || f.Gone[0].Name != alone.Fleet.Name || f.Gone[0].Heard.IsZero() {
			return false
		}
		for _, m := range f.Members {
			if (m.Name == behind) != (m.Behind != nil) || (m.Name == third.Fleet.Name) != (m.Health == "down") {
				return false
			}
		}
		return true
	})
	// The first member shows that another is gone, and reports no trouble of its own for that.
	if h := members[0].admin.Member("").Health; h == "gone" || h == "behind" {
		t.Errorf("the first member reports itself as %q", h)
	}
	metrics := promtext.Parse(t, get(t, bases[0], "/metrics").body)
	lags := metrics["xcri_member_behind_since_timestamp_seconds"].Samples
	if len(lags) != 3 || len(metrics["xcri_member_info"].Samples) != 3 || metrics["xcri_shared_up"].Samples[0].Value != 1 {
		t.Errorf("%+v %+v %+v", lags, metrics["xcri_member_info"], metrics["xcri_shared_up"])
	}
	for _, s := range lags {
		if (s.Labels["member"] == behind) != (s.Value > 0) {
			t.Errorf("%+v", s)
		}
	}
	b.eval("readStats()", nil)
	b.await(`document.querySelectorAll('#members tbody tr').length === 4 && ['down', 'gone, last heard of '].every((text) => document.querySelector('#members').innerText.includes(text))`)
	var table, note string
	b.eval(`document.querySelector('#members').innerText`, &table)
	b.eval(`document.querySelector('#shared-note').innerText`, &note)
	if !strings.Contains(table, "(this proxy)") || !strings.Contains(table, third.Fleet.Name) || !strings.Contains(table, behind) || !strings.Contains(note, "Shared level: ") {
		t.Errorf("%s\n%s", table, note)
	}
	look(t, b, script, "fleet")

	if f := fleet(1); f.State != api.BreakerOpen || f.Reason == "" || f.Since == nil || len(f.Members) != 1 || !f.Members[0].Own {
		t.Errorf("without the level %+v", f)
	}
	b.open(bases[1] + "/cache/")
	expectState(t, b, "The shared cache is away", "The Redis or Valkey of the fleet does not answer", "Start or repair the Redis")
	b.await(`document.querySelector('#tiles').innerText.includes('shared level away')`)
}

// haunt sends the heartbeats of a member that does nothing else, until the test ends.
func haunt(t *testing.T, shared *redisserver.Server, info string) {
	t.Helper()
	beat := func() {
		shared.Do("EVAL", "local t = redis.call('TIME') return redis.call('HSET', KEYS[1], 'another', string.format('%.0f', t[1] * 1000) .. ':' .. ARGV[1])",
			"1", "xcri-proxy:1:{fleet}:members", info)
	}
	beat()
	ctx, stop := context.WithCancel(t.Context())
	var beats sync.WaitGroup
	beats.Go(func() {
		for tick := time.NewTicker(200 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				beat()
			}
		}
	})
	t.Cleanup(func() { stop(); beats.Wait() })
}

// throughRelay opens the database of db behind a relay.
func throughRelay(t *testing.T, db *sql.DB) (*relay.Relay, *store.Store) {
	t.Helper()
	return stores.ThroughRelay(t, stores.Beside(t, db))
}
