package app

import (
	"bytes"
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy"
)

// Go's limit is the memory without the memory files, as they grow or shrink, and never
// less than leastHeap.
func TestMemoryLimitFollowsFiles(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	const total = 150 << 20
	l := newMemoryLimit(total)
	for _, tt := range []struct{ files, want int64 }{
		{0, total - runtimeShare},
		{limitStep - 1, total - runtimeShare},
		{10 << 20, total - runtimeShare - 10<<20},
		{10<<20 + limitStep/2, total - runtimeShare - 10<<20},
		{64 << 20, total - runtimeShare - 64<<20},
		{total, leastHeap},
		{0, total - runtimeShare},
	} {
		if l.follow(tt.files); debug.SetMemoryLimit(-1) != tt.want {
			t.Errorf("%d bytes of files: limit %d, want %d", tt.files, debug.SetMemoryLimit(-1), tt.want)
		}
	}
}

// The default limit has memory for all connections, and a lower limit for fewer.
func TestConnsOfMemory(t *testing.T) {
	for limit, want := range map[int64]int{150 << 20: proxy.MostConns, 64 << 20: 2048, 1 << 50: proxy.MostConns} {
		if got := connsOf(limit); got != want {
			t.Errorf("%d bytes: %d connections, want %d", limit, got, want)
		}
	}
}

// A control group with a limit below MEMORY_LIMIT lowers MEMORY_LIMIT and the cache's
// size, and the log reports it.
func TestMemoryLimitFollowsControlGroup(t *testing.T) {
	for _, tt := range []struct{ group, limit, cache int64 }{
		{0, 150 << 20, 60 << 20}, {1 << 40, 150 << 20, 60 << 20}, {200 << 20, 150 << 20, 60 << 20},
		{100 << 20, 90 << 20, 36 << 20}, {50 << 20, 45 << 20, 18 << 20},
	} {
		var cfg config.Config
		cfg.MemoryLimit, cfg.Cache.Bytes = 150<<20, 60<<20
		var log bytes.Buffer
		got := withinGroup(cfg, tt.group, slog.New(slog.NewTextHandler(&log, nil)))
		if got.MemoryLimit != tt.limit || got.Cache.Bytes != tt.cache {
			t.Errorf("group %d: limit %d and cache %d, want %d and %d", tt.group, got.MemoryLimit, got.Cache.Bytes, tt.limit, tt.cache)
		}
		if warned := strings.Contains(log.String(), "level=WARN"); warned != (tt.limit != cfg.MemoryLimit) {
			t.Errorf("group %d: log %s", tt.group, &log)
		}
	}
}
