package proxy

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/stores"
)

// TestPhases: a lock in the database shows as query time, a full pool as the wait for a
// connection, and a full lane as the wait for a slot: while it lasts among the fills under
// way, and afterwards in Server-Timing and among the slowest requests.
func TestPhases(t *testing.T) {
	opts, db := scratch(t)
	few := stores.Beside(t, db)
	few.MaxConns = 3
	opts.Origin, opts.TrustedProxies = stores.Open(t, few), thisMachine
	p, base := start(t, opts)
	lock, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	execute := func(statement string) {
		if _, err := lock.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	execute("LOCK TABLES " + readapi.AthleteTable + " WRITE")
	defer execute("UNLOCK TABLES")

	// Of seven slots, four are for one table and three of them for its lists. Three of the
	// four fills find a connection.
	conns := map[string]net.Conn{}
	for i, target := range []string{
		"/athletes/?season_year=2025&limit=1", "/athletes/?season_year=2025&limit=2", "/athletes/?season_year=2025&limit=3",
		"/athletes/12008241?division=2032&gender=F", "/athletes/12008241?gender=F",
	} {
		id := fmt.Sprint("id-", i)
		conns[id] = request(t, base, target, "X-Request-Id: "+id+"\r\n")
	}
	const long = 50 * time.Millisecond
	where := map[string]phase.Phase{}
	await(t, "three fills wait for the lock, one for a connection, one for a slot", func() bool {
		counts := map[phase.Phase]int{}
		for _, l := range p.cache.Loading() {
			if where[l.Request] = l.Phase; l.Times[l.Phase] >= long {
				counts[l.Phase]++
			}
		}
		return counts[phase.Query] == 3 && counts[phase.Connection] == 1 && counts[phase.Queue] == 1
	})
	for _, l := range p.Stats().Loading {
		if where[l.Request].String() != l.Step || l.Key == "" || l.Lane == "" || l.AgeMS < 50 {
			t.Errorf("%+v", l)
		}
	}
	execute("UNLOCK TABLES")

	timing := map[string]string{}
	for id, conn := range conns {
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode >= 500 {
			t.Fatal(answer, err)
		}
		timing[id] = answer.Header.Get("Server-Timing")
	}
	slowest := map[string]api.Request{}
	await(t, "all are among the slowest", func() bool {
		for _, r := range p.Stats().Slowest {
			slowest[r.ID] = r
		}
		return slowest["id-0"].ID != "" && slowest["id-1"].ID != "" && slowest["id-2"].ID != "" && slowest["id-3"].ID != "" && slowest["id-4"].ID != ""
	})
	for id, waited := range where {
		r := slowest[id]
		took := map[string]float64{}
		sum := 0.0
		for _, p := range r.Phases.All() {
			took[p.Name] = p.MS
			sum += p.MS
		}
		if took[waited.String()] < 50 || r.TookMS < 50 || sum-took["write"] > r.TookMS+0.01 {
			t.Errorf("%s waited in phase %s: %+v %+v", id, waited, r, took)
		}
		if r.Outcome != cache.Miss.String() || r.Route == "" || r.Key == "" || r.Client != "127.0.0.1" || r.Status == 200 && took["encode"]*took["rows"]*took["compress"] == 0 {
			t.Errorf("%+v %+v", r, took)
		}
		header := regexp.MustCompile(waited.String() + `;dur=([0-9.]+)`).FindStringSubmatch(timing[id])
		if len(header) == 0 {
			t.Errorf("%s: Server-Timing: %s", id, timing[id])
		} else if ms, _ := strconv.ParseFloat(header[1], 64); ms != took[waited.String()] {
			t.Errorf("%s: %s, the list has %v", id, header[0], took[waited.String()])
		}
	}
	if a := get(t, base, "/athletes/?season_year=2025&limit=1"); a.outcome() != "hit" || a.header.Get("Server-Timing") != "" {
		t.Errorf("%s with Server-Timing %q", a.outcome(), a.header.Get("Server-Timing"))
	}
}
