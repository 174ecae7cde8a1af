package deploy

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is 20 clients that send requests in sequence.
type load struct {
	asked    atomic.Int64
	stopping atomic.Bool
	clients  sync.WaitGroup
	mu       sync.Mutex
	failed   map[string]int
}

func startLoad(api string) *load {
	l := &load{failed: map[string]int{}}
	questions := []string{"/athletes/?limit=100", "/teams/?limit=2", "/health", "/athletes/?limit=3&search=nobody"}
	for n := range 20 {
		l.clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
			defer client.CloseIdleConnections()
			for i := n; !l.stopping.Load(); i++ {
				if err := question(client, api+questions[i%len(questions)]); err != nil {
					l.mu.Lock()
					l.failed[err.Error()]++
					l.mu.Unlock()
				}
				l.asked.Add(1)
			}
		})
	}
	return l
}

func question(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", resp.Status)
	}
	return nil
}

// awaitMore waits until the given number of further requests have been answered.
func (l *load) awaitMore(t *testing.T, n int64) {
	t.Helper()
	until := l.asked.Load() + n
	await(t, "the clients get answers", func() bool { return l.asked.Load() >= until })
}

func (l *load) finish(t *testing.T) {
	t.Helper()
	l.stopping.Store(true)
	l.clients.Wait()
	for err, n := range l.failed {
		t.Errorf("%d of %d requests: %s", n, l.asked.Load(), err)
	}
	t.Logf("%d requests, %d kinds of failure", l.asked.Load(), len(l.failed))
}
