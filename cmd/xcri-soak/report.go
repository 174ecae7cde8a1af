package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/load/measure"
	"github.com/lewistv/xcri-proxy/cmd/xcri-soak/internal/judge"
)

// logFile is the log of a run: events of the run go to w and to a file, the proxy's log
// to another file.
type logFile struct {
	mu    sync.Mutex
	w     io.Writer
	own   *os.File
	proxy *os.File
}

func openLog(dir string, w io.Writer) (l *logFile, err error) {
	l = &logFile{w: w}
	if l.own, err = os.Create(filepath.Join(dir, "soak.log")); err != nil {
		return nil, err
	}
	l.proxy, err = os.Create(filepath.Join(dir, "proxy.log"))
	return l, err
}

// note writes an event with its time.
func (l *logFile) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(io.MultiWriter(l.w, l.own), time.Now().Format("15:04:05.000 ")+format+"\n", args...)
}

// memoryMargin is the share of MEMORY_LIMIT by which memory may exceed it.
const memoryMargin = 0.1

// report writes the result of a run. It returns false if an answer was wrong, a
// request for a cached key failed, or the memory exceeded its limit.
func (l *lab) report() bool {
	faults := map[string]int64{
		"failed although cached": l.count.Sum("failed although cached"), "unknown generations": l.count.Sum("published generations of no state"),
	}
	for v := judge.Wrong; v < judge.Verdicts; v++ {
		faults[v.String()] = l.count.Sum("verdict: " + v.String())
	}
	states, begun := l.truth.number+1, l.begun
	var hits, misses measure.Times
	hits.Add(&l.visitors.Hits)
	misses.Add(&l.visitors.Others)
	peak, limit := l.proxies.peak.Load(), int64(memoryLimit)
	l.log.note("%v with seed %d: %d requests, %d bodies checked against %d states of %d keys, %d publishes; starts of the proxy %d, hand-overs %d;"+
		" hits p50 %v, p99 %v; other answers p50 %v, p99 %v; memory at most %.1f MB of %.1f MB;%s",
		time.Since(begun).Round(time.Second), l.seed, l.count.Sum("requests"), l.count.Sum("bodies checked"), states, len(l.truth.keys), l.count.Sum("publishes"),
		l.proxies.starts, l.proxies.succeeds, hits.Quantile(.5), hits.Quantile(.99), misses.Quantile(.5), misses.Quantile(.99),
		float64(peak)/1e6, float64(limit)/1e6, l.count)
	good := float64(peak) <= float64(limit)*(1+memoryMargin) && l.count.Sum("bodies checked") > 0
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		l.log.note("%s: %d", name, faults[name])
		good = good && faults[name] == 0
	}
	return good
}
