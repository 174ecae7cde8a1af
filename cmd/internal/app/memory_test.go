package app

import (
	"runtime/debug"
	"testing"
)

// Go gets what the memory files leave of the memory, whichever way they change, and
// never less than it needs.
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
