package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// crowd is the number of wrk's connections.
const crowd = 50

// arena holds the compared servers, except the bare servers, which are started for
// each question.
type arena struct{ servers [contenders]*service }

func (l *lab) openArena(ctx context.Context) (a *arena, err error) {
	a = &arena{}
	if a.servers[ours], err = l.startProxy(ctx, serverCore, oneCore...); err == nil {
		a.servers[nginx], err = startNginx(ctx, l.dir, names[nginx], nginxAddr, nginxReads)
	}
	if err == nil {
		a.servers[sending], err = startNginx(ctx, l.dir, names[sending], sendingAddr, nginxSends)
	}
	if err == nil {
		a.servers[varnish], err = startVarnish(ctx, l.dir)
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
			s.stop()
		}
	}
}

// compare checks the answers of all servers to a question, and then measures them.
func (a *arena) compare(ctx context.Context, l *lab, q question) (all []series, err error) {
	defer a.closeBare()
	if a.servers[bare], err = l.startBare(ctx, q); err != nil {
		return nil, err
	}
	if a.servers[untimed], err = l.startUntimed(ctx, q); err != nil {
		return nil, err
	}
	if err := a.agree(ctx, q); err != nil {
		return nil, err
	}
	before, err := readStats(ctx)
	if err != nil {
		return nil, err
	}
	var jobs []job
	for _, s := range a.servers {
		jobs = append(jobs, job{s, load{url: q.url(s.addr), headers: q.headers, connections: crowd}})
	}
	if all, err = l.match(ctx, jobs); err != nil {
		return nil, err
	}
	latencies, err := l.rounds(ctx, jobs)
	if err != nil {
		return nil, err
	}
	for i, s := range latencies {
		all[i].p99 = s.p99
		all[i].requests += s.requests
		all[i].runs += s.runs
	}
	after, err := readStats(ctx)
	if err == nil {
		err = fromTheirCaches(all, after.requests()-before.requests())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", q.name, err)
	}
	for i, s := range all {
		l.reports.paces = append(l.reports.paces, s.pace(q.name, names[i]))
	}
	return all, l.explain(ctx, q, jobs)
}

func (a *arena) closeBare() {
	for _, i := range []int{bare, untimed} {
		if a.servers[i] != nil {
			a.servers[i].stop()
			a.servers[i] = nil
		}
	}
}

// agree checks that all servers give the proxy's answer. Caching servers get a second
// request, so that the answer comes from their cache.
func (a *arena) agree(ctx context.Context, q question) error {
	want, err := ask(ctx, proxyAddr, q)
	if err != nil {
		return err
	}
	for _, s := range a.servers {
		for range 2 {
			got, err := ask(ctx, s.addr, q)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			same := got.coding == want.coding || len(want.body) == 0 // a 304 may name the coding
			if got.status != want.status || !same || !bytes.Equal(got.body, want.body) {
				return fmt.Errorf("%s answers %s with %d %s of %d bytes, not %d %s of %d", s.name, q.target,
					got.status, got.coding, len(got.body), want.status, want.coding, len(want.body))
			}
		}
	}
	return nil
}

// fromTheirCaches checks that the other servers answered from their caches: they sent
// the proxy at most one request for a thousand that they answered.
func fromTheirCaches(all []series, proxyHad int64) error {
	// wrk does not count requests without an answer at its end.
	open := int64(crowd * all[ours].runs)
	asked := proxyHad - all[ours].requests - open
	for i, s := range all[1:] {
		if asked*1000 > s.requests {
			return fmt.Errorf("the proxy was asked %d times by others while %s answered %d requests", asked, names[i+1], s.requests)
		}
	}
	return nil
}

// hits compares answers from the cache, small and large.
func hits(ctx context.Context, l *lab) error {
	a, err := l.openArena(ctx)
	if err != nil {
		return err
	}
	defer a.close()
	small, err := l.smallAnswer(ctx)
	if err != nil {
		return err
	}
	middle, err := middleAnswer(ctx)
	if err != nil {
		return err
	}
	large := question{"450 KB list, gzip", liveLists(0)[0], []string{asGzip}}
	for _, q := range []question{small, middle, large} {
		all, err := a.compare(ctx, l, q)
		if err != nil {
			return err
		}
		toVarnish := 2.0
		if q.name == large.name {
			toVarnish = 1.1
		}
		l.reports.add(
			faster("hit, "+q.name, all, bare, 0.95),
			faster("hit, "+q.name, all, best(all, nginx, sending), 1.3),
			faster("hit, "+q.name, all, varnish, toVarnish),
			row{what: "hit, " + q.name + ": p99 to that of " + names[bare], most: true, bound: 1.2,
				ours: milliseconds(median(all[ours].p99)), other: milliseconds(median(all[bare].p99)), value: median(ratios(all[ours].p99, all[bare].p99))})
	}
	return nil
}

// faster returns a row with the ratio of the proxy's rate to another server's, per
// processor time.
func faster(what string, all []series, than int, bound float64) row {
	return row{what: what + ": to " + names[than], bound: bound,
		ours: thousands(median(all[ours].perCPU)) + "/s", other: thousands(median(all[than].perCPU)) + "/s",
		value: median(ratios(all[ours].perCPU, all[than].perCPU))}
}

func milliseconds(seconds float64) string { return fmt.Sprintf("%.2f ms", seconds*1e3) }

// notModified compares the 304 answers to a browser that has a copy of the list.
func notModified(ctx context.Context, l *lab) error {
	a, err := l.openArena(ctx)
	if err != nil {
		return err
	}
	defer a.close()
	list, err := get(ctx, liveLists(0)[0])
	if err != nil {
		return err
	}
	q := question{"304 for the list", liveLists(0)[0], []string{asGzip}}
	// The other servers must have cached the list before they can answer with 304.
	for _, s := range []int{nginx, sending, varnish} {
		if _, err := ask(ctx, a.servers[s].addr, q); err != nil {
			return err
		}
	}
	q.headers = append(q.headers, "If-None-Match: "+list.etag)
	all, err := a.compare(ctx, l, q)
	if err != nil {
		return err
	}
	l.reports.add(faster(q.name, all, bare, 1.0))
	return nil
}

// smallAnswer finds an answer of about 1 KB, which is stored without a coding.
func (l *lab) smallAnswer(ctx context.Context) (question, error) {
	targets, err := l.profiles(ctx, 300)
	if err != nil {
		return question{}, err
	}
	for _, target := range targets {
		q := question{"1 KB", target, nil}
		a, err := ask(ctx, proxyAddr, q)
		if err != nil {
			return q, err
		}
		if a.status == http.StatusOK && len(a.body) > 900 && len(a.body) <= 1024 {
			return q, nil
		}
	}
	return question{}, errors.New("no athlete's answer has 900 to 1024 bytes")
}

// middleAnswer finds the number of rows of a list that are 12 KB of gzip.
func middleAnswer(ctx context.Context) (q question, err error) {
	for limit := 50; limit < 200; limit += 5 {
		a, err := get(ctx, page(limit, 0))
		if err != nil {
			return q, err
		}
		if len(a.body) > 11800 {
			var rows struct{ Results []json.RawMessage }
			text, err := a.text()
			if err == nil {
				err = json.Unmarshal(text, &rows)
			}
			if err == nil && len(rows.Results) != limit {
				err = fmt.Errorf("%s has %d rows", page(limit, 0), len(rows.Results))
			}
			return question{"12 KB page, gzip", page(limit, 0), []string{asGzip}}, err
		}
	}
	return q, errors.New("no page of a list has 12 KB")
}
