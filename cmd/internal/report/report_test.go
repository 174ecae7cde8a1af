package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// end is the end of the period of the tests.
var end = time.Date(2025, 10, 28, 9, 30, 0, 0, time.Local)

// proxy is a proxy with a history from began on: 100 answers a minute, of which some
// have a status of 5xx.
type proxy struct {
	began  time.Time
	errors int64 // a minute
	slower time.Time
	stats  api.Stats
	err    error
}

func (p *proxy) Stats(context.Context) (api.Stats, error) { return p.stats, p.err }

func (p *proxy) Period(_ context.Context, after, from, to time.Time) (api.History, error) {
	h := api.History{Outcomes: []string{"hit", "stale", "stale_error", "miss", "coalesced", "pass", "error"}, Samples: []api.Sample{}}
	if from.Before(p.began) {
		from = p.began
	}
	if minutes := int64(to.Sub(from).Minutes()); minutes > 0 {
		h.Period = &api.Window{From: from.UnixMilli(), Seconds: to.Sub(from).Seconds(), Requests: 90 * minutes, Answers: 100 * minutes, Errors: p.errors * minutes,
			HitRatio: .99, P50MS: .1, P95MS: 40, P99MS: 80, Fills: minutes, FillMS: 12}
		if !p.slower.IsZero() && !from.Before(p.slower) {
			h.Period.P95MS = 90
		}
	}
	for at := max(after.UnixMilli(), p.began.UnixMilli()); at < to.UnixMilli(); at += time.Hour.Milliseconds() {
		h.Samples = append(h.Samples, api.Sample{At: at, All: api.Flow{Outcomes: [api.Outcomes]uint32{0: 89, 3: 1}}, PoolInUse: 5, Memory: 100 << 20, Waiting: 3})
	}
	return h, p.err
}

// well returns a proxy that is well.
func well() *proxy {
	return &proxy{began: end.Add(-48 * time.Hour), stats: api.Stats{
		Program: api.Program{Version: "v1", Conditions: []api.Condition{{Level: api.LevelGood, Title: "Well"}}}, Origins: api.Origins{Pool: api.Pool{Limit: 8}}, Memory: api.Memory{Budget: 150 << 20},
		Notable: api.Notable{Events: []api.Event{{At: end.Add(-30 * time.Hour), Kind: "start", Text: "old"}, {At: end.Add(-5 * time.Hour), Kind: "publish", Text: "new data"}}, Slowest: []api.Request{
			{At: end.Add(-30 * time.Hour), TookMS: 9000, Asked: api.Asked{Method: "GET", Target: "/before"}},
			{At: end.Add(-3 * time.Hour), TookMS: 812, Status: 304, Asked: api.Asked{Method: "GET", Target: "/teams/"}},
			{At: end.Add(-7 * time.Hour), TookMS: 1300, Status: 200, Outcome: "miss", ID: "abc", Asked: api.Asked{Method: "GET", Target: "/athletes/?limit=7"},
				Phases: &api.Phases{Queue: 1100, Query: 150.5}, Sender: api.Sender{Client: "192.0.2.7"}},
		}},
	}}
}

var day = Options{Since: 24 * time.Hour, MaxErrors: 5, Format: "text"}

func review(t *testing.T, p *proxy, f Options) *Report {
	t.Helper()
	r, err := gather(t.Context(), p, "http://127.0.0.1:8000", f, end)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// point returns a point of a report.
func (r *Report) point(t *testing.T, name string) Point {
	t.Helper()
	for _, p := range r.Points {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no point %s in %+v", name, r.Points)
	return Point{}
}

// TestWell holds the review of a day on which all was well.
func TestWell(t *testing.T) {
	r := review(t, well(), day)
	if r.Attention != 0 || r.Before == nil || len(r.Hours) != 25 || len(r.Events) != 1 || r.Outcomes["hit"] != 24*89 {
		t.Errorf("%+v", r)
	}
	var sum int64
	for _, h := range r.Hours {
		sum += h.Answers
	}
	if sum != r.Now.Answers {
		t.Errorf("the hours have %d answers, the day %d", sum, r.Now.Answers)
	}
	var b bytes.Buffer
	if err := r.text(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"xcri-proxy v1 at http://127.0.0.1:8000, 2025-10-27 09:30 to 2025-10-28 09:30", "All 10 points are well.",
		"well  errors       0 of 144000 answers, 0.00 %; the limit is 5 % (before: 0.00 %)", "well  latency      p50 0.10 ms, p95 40.00 ms, p99 80.00 ms (before: 0.10, 40.00 and 80.00 ms)",
		"at most 5 of 8 to the database were in use; at most 3 requests waited", "at most 100.0 MiB of 150.0 MiB",
		"Outcomes: hit 2136, stale 0, stale_error 0, miss 24,", "publish  new data", "1300.0 ms  2025-10-28 02:30:00  GET /athletes/?limit=7  miss, status 200, queue 1100.0 ms, query 150.5 ms, client 192.0.2.7, request abc",
		"812.0 ms   2025-10-28 06:30:00  GET /teams/             no outcome, status 304",
	} {
		if strings.Contains(b.String(), "/before") {
			t.Error("a request from before the period is shown")
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
}

// TestAttention holds each point that asks for attention.
func TestAttention(t *testing.T) {
	at := end.Add(-2 * time.Hour)
	for name, tt := range map[string]struct {
		change func(*proxy)
		text   string
	}{
		"history":     {func(p *proxy) { p.began = end.Add(-time.Hour) }, "1h0m0s of 24h0m0s are covered: the proxy did not run"},
		"errors":      {func(p *proxy) { p.errors = 6 }, "8640 of 144000 answers, 6.00 %"},
		"latency":     {func(p *proxy) { p.slower = end.Add(-24 * time.Hour) }, "p95 90.00 ms, p99 80.00 ms (before: 0.10, 40.00"},
		"connections": {func(p *proxy) { p.stats.Pool.Limit = 5 }, "at most 5 of 5"},
		"memory":      {func(p *proxy) { p.stats.Memory.Budget = 104 << 20 }, "at most 100.0 MiB of 104.0 MiB"},
		"outages": {func(p *proxy) {
			p.stats.Events = []api.Event{{At: at, Kind: "outage", Text: "refused"}, {At: at.Add(time.Minute), Kind: "back"}}
		}, "1 of the database, 1m0s in all"},
		"restarts": {func(p *proxy) {
			p.stats.Events = []api.Event{{At: at, Kind: "start"}, {At: at, Kind: "start"}, {At: at, Kind: "start"}}
		}, "3 starts"},
		"alarms": {func(p *proxy) { p.stats.Events = []api.Event{{At: at, Kind: "alarm"}} }, "1 time visitors had errors"},
		"now": {func(p *proxy) {
			p.stats.Conditions = []api.Condition{{Level: api.LevelBad, Title: "Down", Cause: "refused.", Remedy: "Start it."}}
		}, "Down: refused. Start it."},
	} {
		t.Run(name, func(t *testing.T) {
			p := well()
			tt.change(p)
			r := review(t, p, day)
			if got := r.point(t, name); got.Well || !strings.Contains(got.Text, tt.text) || r.Attention != 1 {
				t.Errorf("%+v of %d, want %q", got, r.Attention, tt.text)
			}
		})
	}
}

// TestOutages holds the outages that the events describe: outages that began before the
// period, that a restart has ended, and that last.
func TestOutages(t *testing.T) {
	p := well()
	p.stats.Events = []api.Event{
		{At: end.Add(-30 * time.Hour), Kind: "outage", Text: "over before"}, {At: end.Add(-29 * time.Hour), Kind: "back"},
		{At: end.Add(-25 * time.Hour), Kind: "outage", Text: "began before"}, {At: end.Add(-23 * time.Hour), Kind: "back"},
		{At: end.Add(-3 * time.Hour), Kind: "outage", Text: "until the restart"}, {At: end.Add(-2 * time.Hour), Kind: "start"},
		{At: end.Add(-time.Hour), Kind: "outage", Text: "lasts"},
	}
	r := review(t, p, day)
	if len(r.Outages) != 3 || r.Outages[0].Seconds != 7200 || r.Outages[1].Seconds != 3600 || r.Outages[2].To != nil || r.Outages[2].Seconds != 3600 {
		t.Errorf("%+v", r.Outages)
	}
	if got := r.down(); got != 3*time.Hour {
		t.Errorf("down for %v", got)
	}
}

// TestNewProxy holds that a proxy without a history has a report too.
func TestNewProxy(t *testing.T) {
	r := review(t, &proxy{began: end, stats: api.Stats{Program: api.Program{Version: "v1"}}}, Options{Since: time.Hour, Format: "text"})
	if r.Now != nil || r.Before != nil || r.point(t, "history").Well {
		t.Errorf("%+v", r)
	}
	for _, write := range []func(io.Writer) error{r.text, r.html} {
		if err := write(io.Discard); err != nil {
			t.Error(err)
		}
	}
	if _, err := gather(t.Context(), &proxy{err: errors.New("refused")}, "", day, end); err == nil {
		t.Error("no error without an answer")
	}
}

// TestFormats holds that JSON has every figure, and that the page has them too,
// needs no other file, and shows texts as they are.
func TestFormats(t *testing.T) {
	p := well()
	p.stats.Events = append(p.stats.Events, api.Event{At: end.Add(-time.Hour), Kind: "outage", Text: `<script>alert("x")</script>`})
	r := review(t, p, day)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil || back.Now.Answers != r.Now.Answers || len(back.Hours) != len(r.Hours) {
		t.Errorf("%v: %s", err, text)
	}
	var b bytes.Buffer
	if err := r.html(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"Points that ask for attention: 1 of 10.", "&lt;script&gt;", "144000 answers", `<td class="n">1300.00<td>2025-10-28 02:30:00<td>`, `value="100"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page:\n%s", want, page)
		}
	}
	for _, no := range []string{"<script", "src=", "href=", "ZgotmplZ"} {
		if strings.Contains(page, no) {
			t.Errorf("%q is in the page", no)
		}
	}
}

// TestFlags holds the limits of the flags.
func TestFlags(t *testing.T) {
	if err := day.Validate(); err != nil {
		t.Error(err)
	}
	for flag, f := range map[string]Options{
		"--since": {Since: 49 * time.Hour, Format: "text"}, "--max-errors": {Since: time.Hour, MaxErrors: 101, Format: "text"}, "--format": {Since: time.Hour, Format: "pdf"},
	} {
		if err := f.Validate(); err == nil || !strings.HasPrefix(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
