package app

import (
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/cmd/internal/apart"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/children"
)

// TestCompressionBetweenFills: the process that makes the smallest form of a large answer is
// stopped while fills are under way.
func TestCompressionBetweenFills(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))) // a single core has no idle time
	var lull content.Lull
	a := &App{log: slog.New(slog.DiscardHandler)}
	made := a.shrink(apart.Work{Path: "sleep", Args: []string{"3601"}}, &memfile.Memory{}, &lull)
	body := proxytest.List(content.LargeBody + 1)
	e := &cache.Entry{Content: cache.Content{Variants: content.Variants(body), Size: len(body)}}

	fill := lull.Begin()
	var enough atomic.Bool
	ended := make(chan []cache.Variant)
	go func() { ended <- made.Make(e, func() bool { return !enough.Load() }) }()
	for range 2 {
		awaitSleeper(t, children.Stopped)
		fill()
		awaitSleeper(t, "S")
		fill = lull.Begin()
	}
	enough.Store(true)
	if better := <-ended; better != nil {
		t.Errorf("%d variants of work that was ended", len(better))
	}
	fill() // reaches no process
}

// awaitSleeper waits until the child process sleep has been in a state for a moment: while
// Make asks whether to go on, the process is stopped, too.
func awaitSleeper(t *testing.T, want string) {
	t.Helper()
	begun, since, last := time.Now(), time.Now(), ""
	for time.Since(begun) < time.Minute {
		state := children.State(t, "sleep 3601")
		if state != last {
			since, last = time.Now(), state
		}
		if state == want && time.Since(since) > 20*time.Millisecond {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("state %q, want %q", last, want)
}
