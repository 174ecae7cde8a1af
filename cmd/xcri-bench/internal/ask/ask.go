// Package ask sends single requests to the measured servers, and lists the targets that
// measurements use.
package ask

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// ProxyAddr is the address of the measured proxy.
const ProxyAddr = "127.0.0.1:18080"

// Question is a request that measurements use.
type Question struct {
	Name    string // describes the answer in the report
	Target  string
	Headers []string // NAME: VALUE
}

// URL returns the question's URL at a server.
func (q Question) URL(addr string) string { return "http://" + addr + q.Target }

// Answer is a server's answer to a question.
type Answer struct {
	Status       int
	Coding, Etag string
	CacheStatus  string
	Body         []byte // as it was sent
}

// Plain is a client that adds no Accept-Encoding and decodes nothing.
var Plain = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}}

// Send sends a question to a server. An incomplete answer is an error.
func Send(ctx context.Context, addr string, q Question) (a Answer, err error) {
	req, err := http.NewRequestWithContext(ctx, "GET", q.URL(addr), nil)
	if err != nil {
		return a, err
	}
	for _, h := range q.Headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := Plain.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a = Answer{Status: resp.StatusCode, Coding: resp.Header.Get("Content-Encoding"), Etag: resp.Header.Get("Etag"), CacheStatus: resp.Header.Get("Cache-Status")}
	a.Body, err = io.ReadAll(resp.Body)
	return a, err
}

// Get requests a page from the proxy as gzip. A status other than 200 is an error.
func Get(ctx context.Context, target string) (Answer, error) { return GetFrom(ctx, ProxyAddr, target) }

// GetFrom does the same at an address.
func GetFrom(ctx context.Context, addr, target string) (Answer, error) {
	a, err := Send(ctx, addr, Question{Target: target, Headers: []string{AsGzip}})
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("status %d: %.200s", a.Status, a.Body)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", target, err)
	}
	return a, err
}

// AsGzip is the header with which most questions are sent.
const AsGzip = "Accept-Encoding: gzip"

// Text returns the body without its coding.
func (a Answer) Text() ([]byte, error) {
	if a.Coding == "" {
		return a.Body, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(a.Body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// Stats holds the fields of /cache/stats that the tables need.
type Stats struct {
	Requests struct {
		Outcomes map[string]int64
		Open     int64 `json:"open_connections"`
	}
	Cache struct {
		Bytes, Budget, Entries, Fills int64
	}
	Memory struct {
		RSS, Limit, Heap int64
		FileBytes        int64 `json:"file_bytes"`
	}
	Generation struct {
		Warm struct {
			Looked     int64
			Warming    bool
			Published  int64
			Generation string
			Calculated string `json:"calculated_at"`
			Keys       int
			Filled     int
			Failed     int
			Seconds    float64
			Slowest    string
			SlowestFor float64 `json:"slowest_seconds"`
			Season     struct {
				State, Generation, Error string
				Filled, Failed           int
				LeftOut                  int `json:"left_out"`
				Bytes                    int64
			}
		}
	}
	Fleet struct {
		Members []struct {
			Name, Generation string
		}
		Breaker, Reason           string
		Hits, Misses, Waits, Puts int64
		Errors, Opened, Skipped   int64
		Read                      int64 `json:"read_bytes"`
		Written                   int64 `json:"written_bytes"`
	}
}

// Total returns the number of requests that the cache has counted.
func (s Stats) Total() (n int64) {
	for _, count := range s.Requests.Outcomes {
		n += count
	}
	return n
}

// ReadStats returns the counts of the proxy.
func ReadStats(ctx context.Context) (s Stats, err error) { return StatsOf(ctx, ProxyAddr) }

// StatsOf returns the counts of the proxy at an address.
func StatsOf(ctx context.Context, addr string) (s Stats, err error) {
	a, err := Send(ctx, addr, Question{Target: "/cache/stats"})
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(a.Body, &s)
}

// SameResults reports whether two answers to a list have the same rows, and at least
// one row.
func SameResults(a, b Answer) (bool, error) {
	var results [2]struct{ Results json.RawMessage }
	for i, one := range []Answer{a, b} {
		text, err := one.Text()
		if err == nil {
			err = json.Unmarshal(text, &results[i])
		}
		if err != nil {
			return false, err
		}
	}
	return len(results[0].Results) > 2 && bytes.Equal(results[0].Results, results[1].Results), nil
}

// FillAll requests each target once, a few concurrently.
func FillAll(ctx context.Context, targets []string) error {
	var next atomic.Int64
	var all sync.WaitGroup
	var once sync.Once
	var failed error
	for range 8 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(targets)); i = next.Add(1) - 1 {
				a, err := Send(ctx, ProxyAddr, Question{Target: targets[i]})
				if err == nil && a.Status != http.StatusOK && a.Status != http.StatusNotFound {
					err = fmt.Errorf("status %d", a.Status)
				}
				if err != nil {
					once.Do(func() { failed = fmt.Errorf("%s: %w", targets[i], err) })
					return
				}
			}
		})
	}
	all.Wait()
	return failed
}
