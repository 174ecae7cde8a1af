package admin

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/site"
	"github.com/lewistv/xcri-proxy/proxy/wire"
)

// numbered sets the counters of a struct, without the structs in it, to different numbers,
// and returns their names by number.
func numbered(v reflect.Value) map[int64]string {
	names := map[int64]string{}
	for i := range v.NumField() {
		field, n := v.Type().Field(i), int64(7_654_321_000+i)
		switch {
		case !field.IsExported():
			continue
		case field.Type == reflect.TypeFor[atomic.Int64]():
			v.Field(i).Addr().Interface().(*atomic.Int64).Store(n)
		case field.Type.Kind() == reflect.Int64:
			v.Field(i).SetInt(n)
		default:
			continue
		}
		names[n] = field.Name
	}
	return names
}

// shows checks that stats have each of the numbers.
func shows(t *testing.T, stats any, of string, numbers map[int64]string) {
	t.Helper()
	text, err := json.Marshal(stats)
	if err != nil || len(numbers) < 5 {
		t.Fatalf("%s: %d counters, %v", of, len(numbers), err)
	}
	for n, name := range numbers {
		if !strings.Contains(string(text), strconv.FormatInt(n, 10)) {
			t.Errorf("/cache/stats does not show %s.%s: copy it in proxy/admin/stats.go", of, name)
		}
	}
}

// sets checks that no counter of a part of the stats is zero.
func sets(t *testing.T, part any) {
	t.Helper()
	v := reflect.ValueOf(part)
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Int64 && v.Field(i).IsZero() {
			t.Errorf("%s.%s stays zero: set it in proxy/admin/stats.go, or count something for it in this test", v.Type(), v.Type().Field(i).Name)
		}
	}
}

// dropped is an access log that has dropped lines.
type dropped int64

func (d dropped) Dropped() int64 { return int64(d) }

// TestEveryCounterIsInTheStats: the counters of package metrics and of the cache are in the
// stats, and the stats have no counter that nothing sets.
func TestEveryCounterIsInTheStats(t *testing.T) {
	a := newFixture(t)
	a.opts.Site, a.opts.Log = &site.Site{}, dropped(1)
	a.opts.Connections = func() wire.Stats { return wire.Stats{Open: 1, Refused: 1} }
	a.opts.Metrics.Statuses.Add(http.StatusNotModified)
	counters := numbered(reflect.ValueOf(a.opts.Metrics).Elem())
	stats := a.Stats()
	shows(t, stats, "metrics.Metrics", counters)
	sets(t, stats.Requests)
	sets(t, stats.Requests.Refusals)

	var s cache.Stats
	counters = numbered(reflect.ValueOf(&s).Elem())
	cached := newCacheStats(s)
	shows(t, cached, "cache.Stats", counters)
	sets(t, cached.FillCounts)
}
