package app

import (
	"runtime/debug"
	"sync"
)

const (
	// runtimeShare is what the process needs beside Go's memory and memory files: the
	// program itself and what the kernel counts for its sockets.
	runtimeShare = 20 << 20
	// leastHeap is left to Go whatever the memory files take.
	leastHeap = 32 << 20
	// limitStep is how much the memory files change before the heap's limit follows:
	// each step stops the program for some microseconds.
	limitStep = 1 << 20
)

// memoryLimit divides the memory of the process between Go and memory files. Go's
// own limit covers heap, stacks and all else that Go allocates.
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

// follow leaves Go what memory files of that size leave.
func (l *memoryLimit) follow(files int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if change := files - l.files; change <= -limitStep || change >= limitStep {
		l.files = files
		l.apply()
	}
}

func (l *memoryLimit) apply() { debug.SetMemoryLimit(max(leastHeap, l.total-runtimeShare-l.files)) }
