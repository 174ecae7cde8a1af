// Package idle measures whether the machine has spare processor time and memory for work
// that no client waits for.
package idle

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"sync"
	"time"
)

const (
	// window is the shortest time over which the use of the processor is measured.
	window = 250 * time.Millisecond
	// forget is the time without a call of Idle after which the work counts as ended.
	forget = 5 * time.Second
	// spare is the number of cores that stay idle beside the work.
	spare = 0.5
)

// Meter reports whether there is room for one piece of work, which uses one core. The
// work calls Idle again before each of its pieces. A Meter is safe for concurrent use.
type Meter struct {
	opts Options

	mu      sync.Mutex
	last    cores
	at      time.Time
	working bool // the last result of Idle
}

// Options configure a Meter. The zero value is for the machine that the process runs on.
type Options struct {
	// Root is the root of the file system, which os.DirFS("/") returns.
	Root fs.FS
	// Memory is the memory that the work takes, in bytes.
	Memory int64
	// Cores is the number of cores that the process uses; zero means GOMAXPROCS.
	Cores int
}

// New returns a Meter, or an error if the process has a single core, which requests need,
// or the times of the cores cannot be read: only Linux has them, and systemd's
// ProcSubset=pid hides them.
func New(opts Options) (*Meter, error) {
	if opts.Cores == 0 {
		opts.Cores = runtime.GOMAXPROCS(0)
	}
	if opts.Cores < 2 {
		return nil, errors.New("a single core has no idle time beside requests")
	}
	if _, err := readCores(opts.Root); err != nil {
		return nil, err
	}
	return &Meter{opts: opts}, nil
}

// Idle reports whether there is room: half a core beside the core of the work, and
// memory within the limit of Go's memory.
func (m *Meter) Idle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	since := now.Sub(m.at)
	if since < window {
		return m.working
	}
	next, err := readCores(m.opts.Root)
	if err != nil {
		return false
	}
	idle := next.idleSince(m.last)
	first := m.at.IsZero()
	m.last, m.at = next, now
	needed := spare
	if !m.working || since > forget {
		needed++ // the core of the work, which is counted as used while it runs
	}
	m.working = !first && idle >= needed && freeMemory() >= m.opts.Memory
	return m.working
}

// cores are the times of all cores since the start of the system, in clock ticks.
type cores struct {
	idle, total uint64
	count       int
}

// idleSince returns how many cores were idle on average since an earlier reading. The
// time that the hypervisor gave to others was not idle.
func (c cores) idleSince(before cores) float64 {
	if c.total <= before.total || c.idle < before.idle {
		return 0
	}
	return float64(c.idle-before.idle) / float64(c.total-before.total) * float64(c.count)
}

// readCores reads the times of the cores. Source: proc_stat(5): user, nice, system, idle,
// iowait, irq, softirq, steal; the columns that follow are parts of user and nice.
func readCores(root fs.FS) (c cores, err error) {
	const idle, iowait, columns = 3, 4, 8
	text, err := fs.ReadFile(root, "proc/stat")
	if err != nil {
		return c, err
	}
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) <= columns || !bytes.HasPrefix(fields[0], []byte("cpu")) {
			continue
		}
		if len(fields[0]) > len("cpu") {
			c.count++
			continue
		}
		for i, field := range fields[1 : 1+columns] {
			n, err := strconv.ParseUint(string(field), 10, 64)
			if err != nil {
				return c, fmt.Errorf("proc/stat: %w", err)
			}
			if c.total += n; i == idle || i == iowait {
				c.idle += n
			}
		}
	}
	if c.count == 0 || c.total == 0 {
		return c, errors.New("proc/stat: no times of processors")
	}
	return c, nil
}

// freeMemory returns how much of Go's memory limit is not in use, in bytes.
func freeMemory() int64 {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return limit
	}
	used := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(used)
	for _, u := range used {
		limit -= int64(u.Value.Uint64())
	}
	return limit
}
