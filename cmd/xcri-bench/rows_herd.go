package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
)

const (
	herdClients = 200
	// perClient is the number of connections that a browser opens to a site.
	perClient = 6
)

// herd has many clients concurrently request the live lists, all of which are cold.
func herd(ctx context.Context, l *lab) error {
	// Poll only at the start, so that the database counts only the fills.
	p, err := l.startProxy(ctx, "", "GENERATION_POLL=1h")
	if err != nil {
		return err
	}
	defer p.stop()
	if err := l.sql(ctx, "FLUSH STATUS"); err != nil {
		return err
	}
	before, err := readStats(ctx)
	if err != nil {
		return err
	}
	begun, err := l.status(ctx, "COM_BEGIN")
	if err != nil {
		return err
	}
	targets := liveLists(1)
	bodies, failed := stampede(ctx, targets)
	after, err := readStats(ctx)
	if err != nil {
		return err
	}
	transactions, err := l.status(ctx, "COM_BEGIN")
	if err != nil {
		return err
	}
	connections, err := l.connections(ctx)
	if err != nil {
		return err
	}
	right, err := rightAnswers(ctx, targets, bodies)
	if err != nil {
		return err
	}
	asked := herdClients * len(targets)
	what := fmt.Sprintf("%d clients × %d cold lists at once: ", herdClients, len(targets))
	l.reports.add(
		row{what: what + "fills", most: true, bound: float64(len(targets)), unit: "fills", value: float64(after.Cache.Fills - before.Cache.Fills),
			other: fmt.Sprintf("%d transactions, as MariaDB counts", transactions-begun)},
		row{what: what + "connections to the database", most: true, bound: 8, unit: "connections", value: float64(connections)},
		row{what: what + "right answers", bound: float64(asked), unit: "answers", value: float64(right), other: failure(failed)})
	return nil
}

func failure(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// stampede has many clients concurrently request all targets, each in its own order.
// It returns the count of each body of a target, by its checksum, and the first error.
func stampede(ctx context.Context, targets []string) (bodies []map[[32]byte]int, failed error) {
	bodies = make([]map[[32]byte]int, len(targets))
	for i := range bodies {
		bodies[i] = map[[32]byte]int{}
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range herdClients {
		client := &http.Client{Transport: &http.Transport{DisableCompression: true, MaxConnsPerHost: perClient, MaxIdleConnsPerHost: perClient}}
		defer client.CloseIdleConnections()
		for _, i := range rand.New(rand.NewPCG(uint64(n), 0)).Perm(len(targets)) {
			all.Go(func() {
				sum, err := checksum(ctx, client, targets[i])
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failed = err
					return
				}
				bodies[i][sum]++
			})
		}
	}
	all.Wait()
	return bodies, failed
}

func checksum(ctx context.Context, client *http.Client, target string) (sum [32]byte, err error) {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+proxyAddr+target, nil)
	if err != nil {
		return sum, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := client.Do(req)
	if err != nil {
		return sum, err
	}
	defer resp.Body.Close()
	h := sha256.New()
	if _, err := io.Copy(h, resp.Body); err != nil {
		return sum, err
	}
	if resp.StatusCode != http.StatusOK {
		return sum, errors.New(resp.Status)
	}
	return [32]byte(h.Sum(nil)), nil
}

// rightAnswers counts the bodies that equal the proxy's answer afterwards and have the
// same rows as the list in the warm set.
func rightAnswers(ctx context.Context, targets []string, bodies []map[[32]byte]int) (right int, err error) {
	for i, target := range targets {
		a, err := get(ctx, target)
		if err != nil {
			return right, err
		}
		warm, err := get(ctx, liveLists(0)[i])
		if err != nil {
			return right, err
		}
		same, err := sameResults(a, warm)
		if err != nil {
			return right, fmt.Errorf("%s: %w", target, err)
		}
		if same {
			right += bodies[i][sha256.Sum256(a.body)]
		}
	}
	return right, nil
}
