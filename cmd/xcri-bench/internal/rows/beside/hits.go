// Package beside measures the rows that compare the proxy with other servers.
package beside

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/neighbours"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/rounds"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/wrk"
)

// crowd is the number of wrk's connections.
const crowd = 50

// arena holds the compared servers, except the bare servers, which are started for
// each question.
type arena struct {
	servers [neighbours.Contenders]*machine.Service
}

func openArena(ctx context.Context, l *lab.Lab) (a *arena, err error) {
	a = &arena{}
	if a.servers[neighbours.Ours], err = l.StartProxy(ctx, machine.ServerCore, neighbours.OneCore...); err == nil {
		a.servers[neighbours.Nginx], err = neighbours.StartNginx(ctx, l.Dir, neighbours.Names[neighbours.Nginx], neighbours.NginxAddr, neighbours.NginxReads)
	}
	if err == nil {
		a.servers[neighbours.Sending], err = neighbours.StartNginx(ctx, l.Dir, neighbours.Names[neighbours.Sending], neighbours.SendingAddr, neighbours.NginxSends)
	}
	if err == nil {
		a.servers[neighbours.Varnish], err = neighbours.StartVarnish(ctx, l.Dir)
	}
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *arena) close() {
	for _, s := range slices.Backward(a.servers[:]) {
		if s != nil {
			s.Stop()
		}
	}
}

// compare checks the answers of all servers to a question, and then measures them.
func (a *arena) compare(ctx context.Context, l *lab.Lab, q ask.Question) (all []rounds.Series, err error) {
	defer a.closeBare()
	if a.servers[neighbours.Bare], err = neighbours.StartBare(ctx, l.Bare, q); err != nil {
		return nil, err
	}
	if a.servers[neighbours.Untimed], err = neighbours.StartUntimed(ctx, l.Bare, q); err != nil {
		return nil, err
	}
	if err := a.agree(ctx, q); err != nil {
		return nil, err
	}
	before, err := ask.ReadStats(ctx)
	if err != nil {
		return nil, err
	}
	var jobs []rounds.Job
	for _, s := range a.servers {
		jobs = append(jobs, rounds.Job{Service: s, Load: wrk.Load{URL: q.URL(s.Addr), Headers: q.Headers, Connections: crowd}})
	}
	if all, err = l.Match(ctx, jobs); err != nil {
		return nil, err
	}
	compared := jobs
	if l.Short {
		compared = jobs[:neighbours.Bare+1] // by the rows
	}
	latencies, err := l.Rounds(ctx, compared)
	if err != nil {
		return nil, err
	}
	for i, s := range latencies {
		all[i].P99 = s.P99
		all[i].Requests += s.Requests
		all[i].Runs += s.Runs
	}
	after, err := ask.ReadStats(ctx)
	if err == nil {
		err = fromTheirCaches(all, after.Total()-before.Total())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", q.Name, err)
	}
	for i, s := range all {
		l.Reports.Paces = append(l.Reports.Paces, s.Pace(q.Name, neighbours.Names[i]))
	}
	if !l.Why {
		return all, nil
	}
	text, err := rounds.Explain(ctx, l.Dir, q.Name, jobs)
	l.Reports.Why = append(l.Reports.Why, text)
	return all, err
}

func (a *arena) closeBare() {
	for _, i := range []int{neighbours.Bare, neighbours.Untimed} {
		if a.servers[i] != nil {
			a.servers[i].Stop()
			a.servers[i] = nil
		}
	}
}

// agree checks that all servers give the proxy's answer. Caching servers get a second
// request, so that the answer comes from their cache.
func (a *arena) agree(ctx context.Context, q ask.Question) error {
	want, err := ask.Send(ctx, ask.ProxyAddr, q)
	if err != nil {
		return err
	}
	for _, s := range a.servers {
		for range 2 {
			got, err := ask.Send(ctx, s.Addr, q)
			if err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
			same := got.Coding == want.Coding || len(want.Body) == 0 // a 304 may name the coding
			if got.Status != want.Status || !same || !bytes.Equal(got.Body, want.Body) {
				return fmt.Errorf("%s answers %s with %d %s of %d bytes, not %d %s of %d", s.Name, q.Target,
					got.Status, got.Coding, len(got.Body), want.Status, want.Coding, len(want.Body))
			}
		}
	}
	return nil
}

// fromTheirCaches checks that the other servers answered from their caches: they sent
// the proxy at most one request for a thousand that they answered.
func fromTheirCaches(all []rounds.Series, proxyHad int64) error {
	// wrk does not count requests without an answer at its end.
	open := int64(crowd * all[neighbours.Ours].Runs)
	asked := proxyHad - all[neighbours.Ours].Requests - open
	for i, s := range all[1:] {
		if asked*1000 > s.Requests {
			return fmt.Errorf("the proxy was asked %d times by others while %s answered %d requests", asked, neighbours.Names[i+1], s.Requests)
		}
	}
	return nil
}

// Hits compares answers from the cache, small and large.
func Hits(ctx context.Context, l *lab.Lab) error {
	a, err := openArena(ctx, l)
	if err != nil {
		return err
	}
	defer a.close()
	small, err := smallAnswer(ctx, l)
	if err != nil {
		return err
	}
	middle, err := middleAnswer(ctx)
	if err != nil {
		return err
	}
	large := ask.Question{Name: "450 KB list, gzip", Target: ask.LiveLists(0)[0], Headers: []string{ask.AsGzip}}
	for _, q := range []ask.Question{small, middle, large} {
		all, err := a.compare(ctx, l, q)
		if err != nil {
			return err
		}
		toVarnish := 2.0
		if q.Name == large.Name {
			toVarnish = 1.1
		}
		l.Reports.Add(
			faster("hit, "+q.Name, all, neighbours.Bare, 0.95),
			faster("hit, "+q.Name, all, rounds.Best(all, neighbours.Nginx, neighbours.Sending), 1.3),
			faster("hit, "+q.Name, all, neighbours.Varnish, toVarnish),
			report.Row{Name: "hit, " + q.Name + ": p99 compared with " + neighbours.Names[neighbours.Bare], Most: true, Bound: 1.2,
				Ours: report.Milliseconds(stats.Median(all[neighbours.Ours].P99)), Other: report.Milliseconds(stats.Median(all[neighbours.Bare].P99)), Samples: stats.Ratios(all[neighbours.Ours].P99, all[neighbours.Bare].P99)})
	}
	return nil
}

// faster returns a row with the ratio of the proxy's rate to another server's, per
// processor time.
func faster(what string, all []rounds.Series, than int, bound float64) report.Row {
	return report.Row{Name: what + ": to " + neighbours.Names[than], Bound: bound,
		Ours: report.Thousands(stats.Median(all[neighbours.Ours].PerCPU)) + "/s", Other: report.Thousands(stats.Median(all[than].PerCPU)) + "/s",
		Samples: stats.Ratios(all[neighbours.Ours].PerCPU, all[than].PerCPU)}
}

// NotModified compares the 304 answers to a browser that has a copy of the list.
func NotModified(ctx context.Context, l *lab.Lab) error {
	a, err := openArena(ctx, l)
	if err != nil {
		return err
	}
	defer a.close()
	list, err := ask.Get(ctx, ask.LiveLists(0)[0])
	if err != nil {
		return err
	}
	q := ask.Question{Name: "304 for the list", Target: ask.LiveLists(0)[0], Headers: []string{ask.AsGzip}}
	// The other servers must have cached the list before they can answer with 304.
	for _, s := range []int{neighbours.Nginx, neighbours.Sending, neighbours.Varnish} {
		if _, err := ask.Send(ctx, a.servers[s].Addr, q); err != nil {
			return err
		}
	}
	q.Headers = append(q.Headers, "If-None-Match: "+list.Etag)
	all, err := a.compare(ctx, l, q)
	if err != nil {
		return err
	}
	l.Reports.Add(faster(q.Name, all, neighbours.Bare, 1.0))
	return nil
}

// smallAnswer finds an answer of about 1 KB, which is stored without a coding.
func smallAnswer(ctx context.Context, l *lab.Lab) (ask.Question, error) {
	targets, err := l.Profiles(ctx, 300)
	if err != nil {
		return ask.Question{}, err
	}
	for _, target := range targets {
		q := ask.Question{Name: "1 KB", Target: target}
		a, err := ask.Send(ctx, ask.ProxyAddr, q)
		if err != nil {
			return q, err
		}
		if a.Status == http.StatusOK && len(a.Body) > 900 && len(a.Body) <= 1024 {
			return q, nil
		}
	}
	return ask.Question{}, errors.New("no athlete's answer has 900 to 1024 bytes")
}

// middleAnswer finds the number of rows of a list that are 12 KB of gzip.
func middleAnswer(ctx context.Context) (q ask.Question, err error) {
	for limit := 50; limit < 200; limit += 5 {
		a, err := ask.Get(ctx, ask.Page(limit, 0))
		if err != nil {
			return q, err
		}
		if len(a.Body) > 11800 {
			var rows struct{ Results []json.RawMessage }
			text, err := a.Text()
			if err == nil {
				err = json.Unmarshal(text, &rows)
			}
			if err == nil && len(rows.Results) != limit {
				err = fmt.Errorf("%s has %d rows", ask.Page(limit, 0), len(rows.Results))
			}
			return ask.Question{Name: "12 KB page, gzip", Target: ask.Page(limit, 0), Headers: []string{ask.AsGzip}}, err
		}
	}
	return q, errors.New("no page of a list has 12 KB")
}
