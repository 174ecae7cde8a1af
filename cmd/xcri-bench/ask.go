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

// question is a request that measurements use.
type question struct {
	name    string // describes the answer in the report
	target  string
	headers []string // NAME: VALUE
}

func (q question) url(addr string) string { return "http://" + addr + q.target }

// answer is a server's answer to a question.
type answer struct {
	status       int
	coding, etag string
	body         []byte // as it was sent
}

// plain is a client that adds no Accept-Encoding and decodes nothing.
var plain = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}}

// ask sends a question to a server. An incomplete answer is an error.
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

// get requests a page from the proxy as gzip. A status other than 200 is an error.
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

// stats holds the fields of /cache/stats that the tables need.
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

// requests returns the number of requests that the cache has counted.
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

// sameResults reports whether two answers to a list have the same rows, and at least
// one row.
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
