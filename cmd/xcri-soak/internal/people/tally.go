package people

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Counts counts events by name. The zero value is empty. It is safe for concurrent use.
type Counts struct {
	mu sync.Mutex
	n  map[string]int64
}

// Add counts an event.
func (c *Counts) Add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int64{}
	}
	c.n[name]++
}

// Sum returns the number of events whose names begin with a prefix.
func (c *Counts) Sum(prefix string) (sum int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, n := range c.n {
		if strings.HasPrefix(name, prefix) {
			sum += n
		}
	}
	return sum
}

// String returns all counts, by name, a line each.
func (c *Counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c.n)) {
		fmt.Fprintf(&b, "\n  %-58s %9d", name, c.n[name])
	}
	return b.String()
}

// Windows are the periods in which a kind of failure is expected. The zero value has
// none. It is safe for concurrent use.
type Windows struct {
	mu  sync.Mutex
	all [][2]time.Time
}

// Begin begins a period, which ends with the call of end.
func (w *Windows) Begin() (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, [2]time.Time{time.Now()})
	n := len(w.all) - 1
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.all[n][1] = time.Now()
	})
}

// Overlap reports whether a time span overlaps a period.
func (w *Windows) Overlap(begun, ended time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.all {
		if !ended.Before(one[0]) && (one[1].IsZero() || !begun.After(one[1])) {
			return true
		}
	}
	return false
}

// Sleep pauses. It returns false if ctx ends first.
func Sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
