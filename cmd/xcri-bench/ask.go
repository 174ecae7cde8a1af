package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// question is a request that servers are measured with.
type question struct {
	name    string // for people: what the answer is
	target  string
	headers []string // NAME: VALUE
}

func (q question) url(addr string) string { return "http://" + addr + q.target }

// answer is what came of a question.
type answer struct {
	status       int
	coding, etag string
	body         []byte // as it was sent
}

// plain asks for what it is told to and decodes nothing.
var plain = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}}

// ask asks a server. It is an error if the answer is not whole.
func ask(ctx context.Context, addr string, q question) (a answer, err error) {
	req, err := http.NewRequestWithContext(ctx, "GET", q.url(addr), nil)
	if err != nil {
		return a, err
	}
	for _, h := range q.headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := plain.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a = answer{status: resp.StatusCode, coding: resp.Header.Get("Content-Encoding"), etag: resp.Header.Get("Etag")}
	a.body, err = io.ReadAll(resp.Body)
	return a, err
}

// get asks the proxy for a page, as gzip, and expects a 200.
func get(ctx context.Context, target string) (answer, error) {
	a, err := ask(ctx, proxyAddr, question{target: target, headers: []string{asGzip}})
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("status %d: %.200s", a.status, a.body)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", target, err)
	}
	return a, err
}

const asGzip = "Accept-Encoding: gzip"

// text returns the body without its coding.
func (a answer) text() ([]byte, error) {
	if a.coding == "" {
		return a.body, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(a.body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// stats is what the tables need of /cache/stats.
type stats struct {
	Requests struct {
		Outcomes map[string]int64
	}
	Cache struct {
		Bytes, Budget, Entries, Fills int64
	}
	Memory     struct{ RSS, Limit int64 }
	Generation struct {
		Warm struct {
			Looked     int64
			Warming    bool
			Published  int64
			Calculated string `json:"calculated_at"`
			Filled     int
			Failed     int
			Seconds    float64
			Slowest    string
			SlowestFor float64 `json:"slowest_seconds"`
		}
	}
}

// requests is how many requests there were for what the cache holds.
func (s stats) requests() (n int64) {
	for _, count := range s.Requests.Outcomes {
		n += count
	}
	return n
}

func readStats(ctx context.Context) (s stats, err error) {
	a, err := ask(ctx, proxyAddr, question{target: "/cache/stats"})
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(a.body, &s)
}

// sameResults reports whether two answers to a list hold the same rows, at least
// one.
func sameResults(a, b answer) (bool, error) {
	var results [2]struct{ Results json.RawMessage }
	for i, one := range []answer{a, b} {
		text, err := one.text()
		if err == nil {
			err = json.Unmarshal(text, &results[i])
		}
		if err != nil {
			return false, err
		}
	}
	return len(results[0].Results) > 2 && bytes.Equal(results[0].Results, results[1].Results), nil
}
