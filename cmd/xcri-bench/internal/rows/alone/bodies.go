package alone

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
)

// unitLimit is MemoryMax of the shipped unit, in bytes.
const unitLimit = 256 << 20

// memoryDuring runs load beside a proxy with further settings and reports the peak of its
// memory. The proxy runs in a control group with the limit of the shipped unit where this
// machine has control groups; the group counts the kernel's buffers, too.
func memoryDuring(ctx context.Context, l *lab.Lab, what string, load func(ctx context.Context) (ours string, err error), env ...string) error {
	group, err := machine.NewGroup(unitLimit)
	if err != nil {
		report.Progress("the unit's limit is not measured: %v", err)
		group = nil
	} else {
		defer group.Close()
	}
	p, err := l.StartInGroup(ctx, group, env...)
	if err != nil {
		return err
	}
	defer p.Stop()
	during, end := context.WithCancel(ctx)
	defer end()
	var ours string
	var failed error
	var all sync.WaitGroup
	all.Go(func() {
		defer end()
		ours, failed = load(during)
	})
	most, err := mostMemory(during, p)
	all.Wait()
	if failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	l.Reports.Add(report.Row{Name: what + ": memory of MEMORY_LIMIT", Most: true, Bound: 1.1, Ours: ours + ", " + report.Megabytes(float64(most)),
		Other: report.Megabytes(memoryLimit), Value: float64(most) / memoryLimit})
	if group == nil {
		return nil
	}
	peak, killed, err := group.Usage()
	l.Reports.Add(report.Row{Name: "the same, with the kernel's buffers: processes killed at the unit's MemoryMax (256 MiB)", Most: true, Unit: "processes",
		Ours: report.Megabytes(float64(peak)), Other: report.Megabytes(unitLimit), Value: float64(killed)})
	return err
}

// Recoding measures the memory while eight clients request the largest list under ever
// new keys: each answer is compressed in the background after it was sent.
func Recoding(ctx context.Context, l *lab.Lab) error {
	length := l.Length(time.Minute)
	return memoryDuring(ctx, l, "8 clients with ever new keys of the largest list", func(ctx context.Context) (string, error) {
		ctx, end := context.WithTimeout(ctx, length)
		defer end()
		var next, done, refused atomic.Int64
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				client := http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for ctx.Err() == nil {
					if status, err := fetch(ctx, &client, ask.Page(50000-int(next.Add(1)), 0), fmt.Sprintf("192.0.2.%d", n+1)); err == nil && status == http.StatusOK {
						done.Add(1)
					} else if ctx.Err() == nil {
						refused.Add(1)
					}
				}
			})
		}
		all.Wait()
		return fmt.Sprintf("%d lists, %d refused", done.Load(), refused.Load()), nil
	})
}

// Bombs measures the memory while the old API answers 40 requests concurrently with a body
// that is a thousand times as long as its compressed form.
func Bombs(ctx context.Context, l *lab.Lab) error {
	old, err := bombs()
	if err != nil {
		return err
	}
	defer old.Close()
	return memoryDuring(ctx, l, "40 answers of the old API that are 64 MB without gzip", func(ctx context.Context) (string, error) {
		var all sync.WaitGroup
		var answers sync.Map
		for n := range 40 {
			all.Go(func() {
				status, _ := fetch(ctx, http.DefaultClient, "/openapi.json", fmt.Sprintf("192.0.2.%d", n+1))
				count, _ := answers.LoadOrStore(status, new(atomic.Int64))
				count.(*atomic.Int64).Add(1)
			})
		}
		all.Wait()
		text := "statuses"
		answers.Range(func(status, count any) bool {
			text += fmt.Sprintf(" %d× %v", count.(*atomic.Int64).Load(), status)
			return true
		})
		return text, nil
	}, "LEGACY_URL=http://"+old.Addr().String())
}

// bombs serves small gzip bodies that are 64 MB without the coding.
func bombs() (net.Listener, error) {
	var packed strings.Builder
	w := gzip.NewWriter(&packed)
	io.WriteString(w, `"`)
	for range 64 {
		io.WriteString(w, strings.Repeat(" ", 1<<20))
	}
	io.WriteString(w, `"`)
	w.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		io.WriteString(w, packed.String())
	}))
	return listener, nil
}
