// Package herd has many clients concurrently request the same answers, and counts the
// answers that are right.
package herd

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
)

const (
	// Clients is the number of clients of each proxy.
	Clients = 200
	// perClient is the number of connections that a browser opens to a site.
	perClient = 6
)

// Bodies is the number of each body of a target, by its checksum.
type Bodies map[[sha256.Size]byte]int

// Run has Clients clients of each address concurrently request all targets, each client in
// an order of its own. It returns the bodies of each target, and the first error.
func Run(ctx context.Context, addrs, targets []string) (bodies []Bodies, failed error) {
	bodies = make([]Bodies, len(targets))
	for i := range bodies {
		bodies[i] = Bodies{}
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range Clients * len(addrs) {
		client := &http.Client{Transport: &http.Transport{DisableCompression: true, MaxConnsPerHost: perClient, MaxIdleConnsPerHost: perClient}}
		defer client.CloseIdleConnections()
		for _, i := range rand.New(rand.NewPCG(uint64(n), 0)).Perm(len(targets)) {
			all.Go(func() {
				sum, err := checksum(ctx, client, "http://"+addrs[n%len(addrs)]+targets[i])
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

func checksum(ctx context.Context, client *http.Client, url string) (sum [sha256.Size]byte, err error) {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
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
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// Right counts the bodies that equal the answer of an address afterwards, which must have
// the same rows as the answer to the like target of the warm set.
func Right(ctx context.Context, addrs, targets, warm []string, bodies []Bodies) (right int, err error) {
	for i, target := range targets {
		w, err := ask.GetFrom(ctx, addrs[0], warm[i])
		if err != nil {
			return right, err
		}
		sums := map[[sha256.Size]byte]bool{}
		for _, addr := range addrs {
			a, err := ask.GetFrom(ctx, addr, target)
			if err != nil {
				return right, err
			}
			same, err := ask.SameResults(a, w)
			if err != nil {
				return right, fmt.Errorf("%s: %w", target, err)
			}
			sums[sha256.Sum256(a.Body)] = same
		}
		for sum, n := range bodies[i] {
			if sums[sum] {
				right += n
			}
		}
	}
	return right, nil
}
