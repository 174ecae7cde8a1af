package main

import (
	"net/http"
	"sync"
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
)

// TestTail holds that tail prints the requests that a running proxy answers, and its hint
// and exit status where no proxy is.
func TestTail(t *testing.T) {
	addr := startProxy(t)
	done := make(chan struct{})
	var visitor sync.WaitGroup
	visitor.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if answer, err := http.Get("http://" + addr + "/teams/?limit=x"); err == nil {
				answer.Body.Close()
			}
		}
	})
	expect(t, 0, []string{"tail", "--count", "2", "--listen-addr", addr}, "422", "127.0.0.1", "GET /teams/?limit=x")
	expect(t, 0, []string{"tail", "--count", "1", "--json", "--client", "127.0.0.1", "--url", "http://" + addr}, `"target":"/teams/?limit=x"`, `"status":422`)
	close(done)
	visitor.Wait()
	expect(t, exit.Usage, []string{"tail", "--outcome", "lost", "--listen-addr", addr}, `there is no outcome "lost"`)
	expect(t, exit.Usage, []string{"tail", "--slow", "-1s"}, "--slow: want a time", "see xcri-proxy tail --help")
	expectNothingListens(t, "tail")
}
