package app

import (
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy"
)

const (
	// runtimeShare is the memory of the process outside Go's memory and memory files:
	// the program itself and the kernel's accounting for its sockets.
	runtimeShare = 20 << 20
	// leastHeap is the minimum of Go's limit, however large the memory files are.
	leastHeap = 32 << 20
	// requestShare is the part of the memory for the bodies and long heads of requests,
	// for the old API's answers to them, and for bodies that are inflated while they are
	// sent.
	requestShare = 16
	// fetchShare is the part of the memory for answers of the old API while they are
	// read for the cache: the largest list has 3.5 MB.
	fetchShare = 6
	// connMemory is the memory of the process for which a client may be connected. A
	// connection takes a third of it: its buffer, its goroutine's stack, and garbage.
	connMemory = 32 << 10
	// shrinkMemory is the memory that compressing one large list as far as possible
	// takes: its process had 67 MB resident for 3.5 MB.
	shrinkMemory = 64 << 20
	// limitStep is the change of the memory files after which the heap's limit is
	// adjusted: each adjustment stops the program for some microseconds.
	limitStep = 1 << 20
)

// memoryLimit divides the memory of the process between Go and memory files. Go's
// limit covers the heap, stacks and all other memory that Go allocates.
type memoryLimit struct {
	total int64 // bytes
	mu    sync.Mutex
	files int64 // as of the last step
}

func newMemoryLimit(total int64) *memoryLimit {
	l := &memoryLimit{total: total}
	l.apply()
	return l
}

// follow adjusts Go's limit to the size of the memory files.
func (l *memoryLimit) follow(files int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if change := files - l.files; change <= -limitStep || change >= limitStep {
		l.files = files
		l.apply()
	}
}

func (l *memoryLimit) apply() { debug.SetMemoryLimit(max(leastHeap, l.total-runtimeShare-l.files)) }

// connsOf returns the number of client connections that fit a memory limit.
func connsOf(limit int64) int { return int(min(limit/connMemory, proxy.MostConns)) }

// withinGroup returns the settings with MEMORY_LIMIT reduced to fit the memory limit
// of the process's control group, and the cache reduced in the same proportion. A
// group limit of 0 means no limit.
func withinGroup(cfg config.Config, group int64, log *slog.Logger) config.Config {
	// The group's limit is hard, and counts the kernel's buffers for connections too.
	most := group / 10 * 9
	if group == 0 || cfg.MemoryLimit <= most {
		return cfg
	}
	cache := int64(float64(cfg.Cache.Bytes) * float64(most) / float64(cfg.MemoryLimit))
	log.Warn("the control group allows less than MEMORY_LIMIT: using less memory, and a smaller cache; lower MEMORY_LIMIT or raise the group's limit",
		"group_limit", group, "memory_limit", cfg.MemoryLimit, "used_limit", most, "cache_bytes", cfg.Cache.Bytes, "used_cache_bytes", cache)
	cfg.MemoryLimit, cfg.Cache.Bytes = most, cache
	return cfg
}
