// Package answers measures the rows of single answers: their bytes, and the time until
// /snapshots/ is filled.
package answers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
)

// zlib writes the lengths of files in gzip by zlib at level 6, as most servers send them.
const zlib = `import sys, zlib
for name in sys.argv[1:]:
    made = zlib.compressobj(6, zlib.DEFLATED, 31)
    with open(name, "rb") as body:
        print(len(made.compress(body.read()) + made.flush()))`

// Bytes measures the forms of the live lists: gzip, which all clients get first, and
// brotli, which browsers get as soon as a processor is free, beside zlib at level 6.
func Bytes(ctx context.Context, l *lab.Lab) error {
	p, err := l.StartProxy(ctx, "", "IDLE_COMPRESS=off")
	if err != nil {
		return err
	}
	defer p.Stop()
	targets := ask.LiveLists(0)
	zlibs, err := zlibLengths(ctx, l.Dir, targets)
	if err != nil {
		return err
	}
	gzips, _, err := lengths(ctx, targets, "gzip")
	if err != nil {
		return err
	}
	small, _, err := lengths(ctx, targets, "br")
	if err != nil {
		return err
	}
	l.Reports.Add(
		report.Row{Name: "gzip of the 42 live lists, their first form, to zlib at level 6: all of them", Most: true, Bound: 1,
			Ours: report.Megabytes(stats.Sum(gzips)), Other: report.Megabytes(stats.Sum(zlibs)), Value: stats.Sum(gzips) / stats.Sum(zlibs)},
		report.Row{Name: "the same: the list with the largest ratio", Most: true, Bound: 1, Value: slices.Max(stats.Ratios(gzips, zlibs))},
		report.Row{Name: "brotli of these lists, for browsers soon after: all of them", Most: true, Bound: 1,
			Ours: report.Megabytes(stats.Sum(small)), Other: report.Megabytes(stats.Sum(zlibs)), Value: stats.Sum(small) / stats.Sum(zlibs)},
		report.Row{Name: "the same: the list with the largest ratio", Most: true, Bound: 1, Value: slices.Max(stats.Ratios(small, zlibs))})
	p.Stop()
	if l.Short {
		report.Progress("the smallest forms are not measured with -short")
		return nil
	}
	if p, err = l.StartProxy(ctx, "", "IDLE_COMPRESS=on"); err != nil {
		return err
	}
	defer p.Stop()
	idle, err := smallestForms(ctx, targets)
	if err != nil {
		return err
	}
	l.Reports.Add(report.Row{Name: "these lists after the idle time in which their smallest form was made, to brotli at level 5", Most: true, Bound: 0.8,
		Ours: report.Megabytes(stats.Sum(idle)), Other: report.Megabytes(stats.Sum(small)), Value: stats.Sum(idle) / stats.Sum(small)})
	return nil
}

// zlibLengths returns the lengths of answers that zlib makes.
func zlibLengths(ctx context.Context, dir string, targets []string) (all []float64, err error) {
	var files []string
	for i, target := range targets {
		a, err := ask.Get(ctx, target)
		if err != nil {
			return nil, err
		}
		text, err := a.Text()
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, "list"+strconv.Itoa(i))
		defer os.Remove(file)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	out, err := machine.Command(ctx, "python3", append([]string{"-c", zlib}, files...)...)
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Fields(out) {
		n, err := strconv.ParseFloat(line, 64)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	if len(all) != len(targets) {
		return nil, fmt.Errorf("python3 compressed %d of %d lists", len(all), len(targets))
	}
	return all, nil
}

// lengths returns the lengths of answers in a coding, and how many are in their smallest
// form. It waits for a coding that an answer does not have yet.
func lengths(ctx context.Context, targets []string, coding string) (all []float64, smallest int, err error) {
	for _, target := range targets {
		a, err := inCoding(ctx, target, coding)
		if err != nil {
			return nil, 0, err
		}
		if strings.HasSuffix(a.Etag, `-br11"`) {
			smallest++
		}
		all = append(all, float64(len(a.Body)))
	}
	return all, smallest, nil
}

// inCoding requests an answer until it has a coding.
func inCoding(ctx context.Context, target, coding string) (a ask.Answer, err error) {
	for deadline := time.Now().Add(longestCoding); ; time.Sleep(50 * time.Millisecond) {
		a, err = ask.Send(ctx, ask.ProxyAddr, ask.Question{Target: target, Headers: []string{"Accept-Encoding: " + coding}})
		if err == nil && (a.Status != http.StatusOK || a.Coding != coding && time.Now().After(deadline)) {
			err = fmt.Errorf("%s: status %d in coding %q", target, a.Status, a.Coding)
		}
		if err != nil || a.Coding == coding {
			return a, err
		}
	}
}

// longestCoding is the longest time until an answer has all codings.
const longestCoding = time.Minute

// The interval of the checks for smaller forms, the time without a new form after which
// all are made, and the longest time for all.
const (
	checkEvery  = 5 * time.Second
	settledFor  = 45 * time.Second
	longestIdle = 6 * time.Minute
)

// smallestForms returns the lengths of lists in brotli after the time in which their
// smallest forms are made. The small lists have none.
func smallestForms(ctx context.Context, targets []string) (last []float64, err error) {
	begun, changed, known := time.Now(), time.Now(), 0
	for time.Since(changed) < settledFor && time.Since(begun) < longestIdle {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(checkEvery):
		}
		var made int
		if last, made, err = lengths(ctx, targets, "br"); err != nil {
			return nil, err
		}
		if made > known {
			known, changed = made, time.Now()
		}
	}
	report.Progress("%d lists have their smallest form after %v", known, time.Since(begun).Round(time.Second))
	return last, nil
}
