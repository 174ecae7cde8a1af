package alone

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
)

const (
	attackers, guests = 64, 20
	// guestPause is the mean pause of a visitor after a page.
	guestPause = 300 * time.Millisecond
	// memoryLimit is the default of MEMORY_LIMIT, in bytes.
	memoryLimit = 150 << 20
)

// Attack has 64 clients send searches that no cache holds, each as soon as the one
// before is answered, beside 20 ordinary visitors with hot and cold pages: first from
// as many addresses as there are searches, then from one address.
func Attack(ctx context.Context, l *lab.Lab) error {
	length := l.Length(time.Minute)
	for _, from := range []struct {
		what    string
		address func(n int64) string
	}{
		{"of many addresses", func(n int64) string { return fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255) }},
		{"of one address", func(int64) string { return "10.0.0.1" }},
	} {
		if err := attack(ctx, l, length, from.what, from.address); err != nil {
			return err
		}
	}
	return nil
}

// guest records the answers of the ordinary visitors.
type guest struct {
	mu        sync.Mutex
	hot, cold []float64 // seconds
	failed    int
	why       string
}

func (g *guest) record(hot bool, took time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err != nil:
		g.failed++
		g.why = err.Error()
	case hot:
		g.hot = append(g.hot, took.Seconds())
	default:
		g.cold = append(g.cold, took.Seconds())
	}
}

func attack(ctx context.Context, l *lab.Lab, length time.Duration, what string, address func(n int64) string) error {
	p, err := l.StartProxy(ctx, "")
	if err != nil {
		return err
	}
	defer p.Stop()
	profiles, err := l.Profiles(ctx, 30_000)
	if err != nil {
		return err
	}
	begun, err := machine.ReadShare()
	if err != nil {
		return err
	}
	during, end := context.WithTimeout(ctx, length)
	defer end()
	var visitors guest
	var searches sync.Map // status → *atomic.Int64
	var number, next atomic.Int64
	var all sync.WaitGroup
	for range attackers {
		all.Go(func() { search(during, &number, address, &searches) })
	}
	for n := range guests {
		all.Go(func() { visit(during, n, &next, profiles, &visitors) })
	}
	most, err := mostMemory(during, p)
	all.Wait()
	if err != nil {
		return err
	}
	lost, err := begun.Lost()
	if err != nil {
		return err
	}
	what = fmt.Sprintf("%d clients %s with hostile searches beside %d visitors: ", attackers, what, guests)
	answered := ""
	searches.Range(func(status, count any) bool {
		answered += fmt.Sprintf("%s× %v ", report.Thousands(float64(count.(*atomic.Int64).Load())), status)
		return true
	})
	l.Reports.Add(
		report.Row{Name: what + "cold pages, p95", Most: true, Bound: 500, Unit: "ms", Value: 1e3 * stats.Quantile(visitors.cold, .95),
			Ours: fmt.Sprintf("%d pages, median %s", len(visitors.cold), report.Milliseconds(stats.Median(visitors.cold))), Other: machine.Taken(lost)},
		report.Row{Name: what + "hot pages, p99", Most: true, Bound: 20, Unit: "ms", Value: 1e3 * stats.Quantile(visitors.hot, .99),
			Ours: fmt.Sprintf("%d pages, median %s", len(visitors.hot), report.Milliseconds(stats.Median(visitors.hot))), Other: "searches: " + answered},
		report.Row{Name: what + "pages that failed", Most: true, Bound: 0, Unit: "pages", Value: float64(visitors.failed), Other: visitors.why},
		report.Row{Name: what + "memory of MEMORY_LIMIT", Most: true, Bound: 1.1,
			Ours: report.Megabytes(float64(most)), Other: report.Megabytes(memoryLimit), Value: float64(most) / memoryLimit})
	return nil
}

// search sends hostile searches until ctx ends, and counts their answers.
func search(ctx context.Context, number *atomic.Int64, address func(n int64) string, answers *sync.Map) {
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		n := number.Add(1)
		target := fmt.Sprintf("/athletes/?season_year=2025&limit=50000&offset=%d&search=%%25%c%%25%x%%25", n%5000, 'a'+rune(n%26), n)
		status, err := fetch(ctx, &client, target, address(n))
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			status = 0
		}
		count, _ := answers.LoadOrStore(status, new(atomic.Int64))
		count.(*atomic.Int64).Add(1)
	}
}

// visit requests hot and cold pages in turn until ctx ends. Each cold page is requested
// once.
func visit(ctx context.Context, n int, next *atomic.Int64, profiles []string, record *guest) {
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	random := rand.New(rand.NewPCG(uint64(n), 0))
	lists := ask.LiveLists(0)
	pause := func() {
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(random.Int64N(int64(2 * guestPause)))):
		}
	}
	for hot := true; ctx.Err() == nil; hot = !hot {
		pause()
		target := lists[random.IntN(len(lists))]
		if !hot {
			i := int(next.Add(1))
			if target = profiles[i%len(profiles)]; i%4 == 0 {
				target = ask.Page(25+i%50, i%3000)
			}
		}
		if ctx.Err() != nil {
			return
		}
		record.visit(ctx, &client, target, n, hot)
	}
}

// visitHot requests pages of the warm set, one after the other, until ctx ends.
func visitHot(ctx context.Context, n int, record *guest) {
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	random := rand.New(rand.NewPCG(uint64(n), 0))
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(random.Int64N(int64(guestPause)))):
		}
		record.visit(ctx, &client, hotPages[random.IntN(len(hotPages))], n, true)
	}
}

// hotPages are small answers of the warm set.
var hotPages = []string{"/metadata/latest/date", "/metadata/latest", "/snapshots/", "/teams/?season_year=2025&division=2034&gender=F&limit=50000&offset=0"}

// visit requests a page, and records its answer unless ctx has ended.
func (g *guest) visit(ctx context.Context, client *http.Client, target string, n int, hot bool) {
	begun := time.Now()
	status, err := fetch(ctx, client, target, fmt.Sprintf("192.0.2.%d", n+1))
	if ctx.Err() != nil {
		return
	}
	if err == nil && status != http.StatusOK && status != http.StatusNotFound {
		err = fmt.Errorf("%s: status %d", target, status)
	}
	g.record(hot, time.Since(begun), err)
}

// fetch requests a target as gzip and reads all of the answer.
func fetch(ctx context.Context, client *http.Client, target, address string) (status int, err error) {
	return fetchAs(ctx, client, target, address, "gzip")
}

// fetchAs requests a target in a coding and reads all of the answer.
func fetchAs(ctx context.Context, client *http.Client, target, address, coding string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ask.ProxyAddr+target, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept-Encoding", coding)
	req.Header.Set("X-Forwarded-For", address)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// mostMemory returns the peak of a service's memory of every kind until ctx ends.
func mostMemory(ctx context.Context, s *machine.Service) (most int64, err error) {
	for {
		now, _, err := s.Resident()
		if err != nil {
			return most, err
		}
		most = max(most, now)
		select {
		case <-ctx.Done():
			return most, nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}
