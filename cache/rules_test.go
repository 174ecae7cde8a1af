package cache

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache/reads"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// versionOf returns a version that was read as the nth, of a generation.
func versionOf(key, generation string, nth int64) *slot.Version {
	e := answer(key, 10)
	e.Generation = generation
	return slot.NewVersion(e, reads.Moment{Order: nth})
}

// A fresh version wins over a version that is not, otherwise the later read wins. During
// an outage the order alone counts for keys that are filled from elsewhere.
func TestWins(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, substituted(), func(t *testing.T, c *Cache) {
		in := c.current.Load().State
		for _, down := range []bool{false, true} {
			if down {
				c.outage.Down(errDown)
			}
			for _, key := range []string{"list", "team"} { // lists are filled from elsewhere
				elsewhere := down && key == "list"
				fresh, later, latest := versionOf(key, "1", 1), versionOf(key, "0", 2), versionOf(key, "1", 3)
				for _, tt := range []struct {
					name   string
					v, old *slot.Version
					want   bool
				}{
					{"the first", later, nil, true},
					{"a later read that is not fresh", later, fresh, elsewhere},
					{"an earlier read that is fresh", fresh, later, !elsewhere},
					{"a later read, both fresh", latest, fresh, true},
					{"an earlier read, both fresh", fresh, latest, false},
				} {
					if got := c.wins(in, tt.v, tt.old); got != tt.want {
						t.Errorf("down %t, %s: %s wins: %t", down, key, tt.name, got)
					}
				}
			}
		}
	})
}

// Of a key that only the origin fills, an outage changes nothing about which versions are
// fresh. Of another key, versions are fresh that are young.
func TestFreshDuringAnOutage(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, substituted(), func(t *testing.T, c *Cache) {
		in := c.current.Load().State
		list, team := versionOf("list", "1", 1), versionOf("team", "1", 2)
		list.Filled, team.Filled = time.Now(), time.Now()
		c.outage.Down(errDown)
		for age, want := range map[time.Duration]bool{0: true, c.opts.DownAge - instant: true, c.opts.DownAge: false} {
			list.Filled, team.Filled = time.Now().Add(-age), time.Now().Add(-age)
			if got := c.fresh(in, list); got != want {
				t.Errorf("a list of %v is fresh: %t", age, got)
			}
			if !c.fresh(in, team) {
				t.Errorf("a team of %v is not fresh", age)
			}
		}
	})
}

// A failed refresh leaves one line with its key, and its clients get the stale entry.
func TestFailedRefreshIsLogged(t *testing.T) {
	o, log := &fakeOrigin{script: []error{nil, errFails}}, bytes.Buffer{}
	opts := Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		get(t, c, "list", Miss, "1")
		c.Publish(o.moveTo("2"), nil)
		get(t, c, "list", Stale, "1")
		synctest.Wait()
		get(t, c, "list", StaleError, "1")
		if n := strings.Count(log.String(), `msg="refresh failed, serving the stale entry" key=list`); n != 1 {
			t.Errorf("%d lines:\n%s", n, &log)
		}
	})
}

// A publish whose warm set is larger than its share of the budget says how many keys it
// left out, and keeps the keys that fit.
func TestTooLargeWarmSetIsLogged(t *testing.T) {
	o, log := &fakeOrigin{size: 100 << 10}, bytes.Buffer{}
	opts := Options{Bytes: 1 << 20, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		all := keys("list", 20)
		c.Prepare(t.Context(), o.generation(), all, func(Warmed) {})
		c.Publish(o.generation(), all)
		kept := c.Warm()
		want := fmt.Sprintf(`msg="the warm set finds no room in its share of the cache" left_out=%d`, len(all)-kept)
		if kept == 0 || kept == len(all) || strings.Count(log.String(), want) != 1 {
			t.Errorf("%d of %d kept:\n%s", kept, len(all), &log)
		}
		checkShelves(t, c)
	})
}

// The stats count the memory of prepared versions, which visitors get after the publish.
func TestPreparedBytes(t *testing.T) {
	o := &fakeOrigin{size: 1000}
	bubble(t, o, Options{}, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "list", "team")
		if n := c.Stats().Prepared; n != 0 {
			t.Errorf("%d bytes prepared after the publish", n)
		}
		g := o.moveTo("2")
		c.Prepare(t.Context(), g, []string{"list", "team"}, func(Warmed) {})
		if got, want := c.Stats().Prepared, 2*answer("list", o.size).Cost(); got != want {
			t.Errorf("%d bytes prepared, want %d", got, want)
		}
		c.Publish(g, []string{"list"})
		if s := c.Stats(); s.Prepared != 0 || c.Warm() != 1 {
			t.Errorf("after the publish %d bytes prepared, %d warm", s.Prepared, c.Warm())
		}
	})
}

// An answer that was read from elsewhere during an outage is stale in the next run, like
// in this run once the origin is back.
func TestExportOfAnOutage(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, substituted(), func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "list", "team")
		c.Publish(o.moveTo("2", "team"), []string{"list", "team"})
		time.Sleep(instant)
		c.outage.Down(errDown)
		sees(t, c, "list", Stale)
		synctest.Wait()
		sees(t, c, "list", Hit)
		for _, s := range c.Export() {
			if s.Purged != (s.Key == "list") {
				t.Errorf("%s is stale in the next run: %t", s.Key, s.Purged)
			}
		}
	})
}
