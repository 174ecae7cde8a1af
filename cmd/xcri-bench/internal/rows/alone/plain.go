package alone

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
)

// plainClients read whole lists without a coding: the proxy decompresses them.
const plainClients = 100

// Plain has 100 clients read the largest list without a coding, each as soon as it has read
// the list before, beside ordinary visitors with hot pages.
func Plain(ctx context.Context, l *lab.Lab) error {
	p, err := l.StartProxy(ctx, "")
	if err != nil {
		return err
	}
	defer p.Stop()
	length := l.Length(30 * time.Second)
	during, end := context.WithTimeout(ctx, length)
	defer end()
	var all sync.WaitGroup
	var lists, refused atomic.Int64
	for n := range plainClients {
		all.Go(func() {
			client := http.Client{Transport: &http.Transport{DisableCompression: true}}
			defer client.CloseIdleConnections()
			for during.Err() == nil {
				status, err := fetchAs(during, &client, ask.LiveLists(0)[0], fmt.Sprintf("198.51.100.%d", n+1), "identity")
				if err == nil && status == http.StatusOK {
					lists.Add(1)
				} else if during.Err() == nil {
					refused.Add(1)
				}
			}
		})
	}
	var visitors guest
	for n := range guests {
		all.Go(func() { visitHot(during, n, &visitors) })
	}
	most, err := mostMemory(during, p)
	all.Wait()
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d clients that read the largest list without a coding beside %d visitors: ", plainClients, guests)
	l.Reports.Add(
		report.Row{Name: what + "hot pages, p99", Most: true, Bound: 20, Unit: "ms", Value: 1e3 * stats.Quantile(visitors.hot, .99),
			Ours:  fmt.Sprintf("%d pages, median %s", len(visitors.hot), report.Milliseconds(stats.Median(visitors.hot))),
			Other: fmt.Sprintf("%d lists, %d refused", lists.Load(), refused.Load())},
		report.Row{Name: "the same: pages that failed", Most: true, Unit: "pages", Value: float64(visitors.failed), Other: visitors.why},
		report.Row{Name: "the same: memory of MEMORY_LIMIT", Most: true, Bound: 1.1,
			Ours: report.Megabytes(float64(most)), Other: report.Megabytes(memoryLimit), Value: float64(most) / memoryLimit})
	return nil
}
