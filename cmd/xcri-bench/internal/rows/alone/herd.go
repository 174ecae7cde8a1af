package alone

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
)

const (
	herdClients = 200
	// perClient is the number of connections that a browser opens to a site.
	perClient = 6
)

// Herd has many clients concurrently request the live lists, all of which are cold.
func Herd(ctx context.Context, l *lab.Lab) error {
	// Poll only at the start, so that the database counts only the fills.
	p, err := l.StartProxy(ctx, "", "GENERATION_POLL=1h")
	if err != nil {
		return err
	}
	defer p.Stop()
	if err := l.SQL(ctx, "FLUSH STATUS"); err != nil {
		return err
	}
	before, err := ask.ReadStats(ctx)
	if err != nil {
		return err
	}
	begun, err := l.Status(ctx, "COM_BEGIN")
	if err != nil {
		return err
	}
	targets := ask.LiveLists(1)
	bodies, failed := stampede(ctx, targets)
	after, err := ask.ReadStats(ctx)
	if err != nil {
		return err
	}
	transactions, err := l.Status(ctx, "COM_BEGIN")
	if err != nil {
		return err
	}
	connections, err := l.Connections(ctx)
	if err != nil {
		return err
	}
	right, err := rightAnswers(ctx, targets, bodies)
	if err != nil {
		return err
	}
	asked := herdClients * len(targets)
	what := fmt.Sprintf("%d clients × %d cold lists, concurrently: ", herdClients, len(targets))
	l.Reports.Add(
		report.Row{Name: what + "fills", Most: true, Bound: float64(len(targets)), Unit: "fills", Value: float64(after.Cache.Fills - before.Cache.Fills),
			Other: fmt.Sprintf("%d transactions, as MariaDB counts", transactions-begun)},
		report.Row{Name: what + "connections to the database", Most: true, Bound: 8, Unit: "connections", Value: float64(connections)},
		report.Row{Name: what + "right answers", Bound: float64(asked), Unit: "answers", Value: float64(right), Other: failure(failed)})
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
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+ask.ProxyAddr+target, nil)
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
		a, err := ask.Get(ctx, target)
		if err != nil {
			return right, err
		}
		warm, err := ask.Get(ctx, ask.LiveLists(0)[i])
		if err != nil {
			return right, err
		}
		same, err := ask.SameResults(a, warm)
		if err != nil {
			return right, fmt.Errorf("%s: %w", target, err)
		}
		if same {
			right += bodies[i][sha256.Sum256(a.Body)]
		}
	}
	return right, nil
}
