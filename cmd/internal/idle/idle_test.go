package idle

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

// machine is a file system with the times of two cores, in hundredths of a second.
type machine struct {
	fstest.MapFS
	busy, idle, stolen int
}

// pass lets time pass, during which the given numbers of cores are busy and stolen.
func (m *machine) pass(d time.Duration, busy, stolen float64) {
	time.Sleep(d)
	ticks := float64(d / (10 * time.Millisecond))
	m.busy += int(ticks * busy)
	m.stolen += int(ticks * stolen)
	m.idle += int(ticks * (2 - busy - stolen))
	m.MapFS["proc/stat"] = &fstest.MapFile{Data: fmt.Appendf(nil,
		"cpu  %d 0 0 %d 0 0 0 %d %d 0\ncpu0 1 1 1 1 1 1 1 1 1 1\ncpu1 1 1 1 1 1 1 1 1 1 1\nintr 7 8 9\n", m.busy, m.idle, m.stolen, m.busy)}
}

func open(t *testing.T, opts Options) *Meter {
	t.Helper()
	m, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Work may begin if one and a half cores are idle, and goes on while half a core is
// idle beside it. Time that the hypervisor gives to others is not idle.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		machine := &machine{MapFS: fstest.MapFS{}}
		machine.pass(time.Hour, 1, 0)
		m := open(t, Options{Root: machine, Cores: 2})
		check := func(when string, want bool) {
			t.Helper()
			if got := m.Idle(); got != want {
				t.Errorf("%s: idle is %v", when, got)
			}
		}
		check("before the first window", false)
		machine.pass(time.Second, 0.6, 0)
		check("1.4 cores are idle", false)
		machine.pass(time.Second, 0.2, 0.4)
		check("1.4 cores are idle, and 0.4 stolen", false)
		machine.pass(time.Second, 0.4, 0)
		check("1.6 cores are idle", true)
		machine.pass(window/2, 2, 0)
		check("within the window", true)
		machine.pass(time.Second, 1.4, 0)
		check("0.5 cores are idle beside the work", true)
		machine.pass(time.Second, 1.6, 0)
		check("0.4 cores are idle beside the work", false)
		machine.pass(time.Second, 1.4, 0)
		check("0.6 cores are idle, and no work runs", false)
		machine.pass(time.Second, 0, 0)
		check("both cores are idle", true)
		machine.pass(2*forget, 1.2, 0)
		check("the work has not asked for long", false)
	})
}

// There is no idle time when the system does not report it any more, and beyond the limit
// of the memory.
func TestNeverIdle(t *testing.T) {
	free := func(opts Options, texts ...string) (idle bool) {
		synctest.Test(t, func(t *testing.T) {
			machine := &machine{MapFS: fstest.MapFS{}}
			opts.Root = machine
			machine.pass(time.Second, 0, 0)
			m := open(t, opts)
			for range 3 {
				machine.pass(time.Second, 0, 0)
				for _, text := range texts {
					machine.MapFS["proc/stat"] = &fstest.MapFile{Data: []byte(text)}
				}
				idle = m.Idle()
			}
		})
		return idle
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1 << 30))
	if !free(Options{Cores: 2, Memory: 64 << 20}) {
		t.Error("not idle with two idle cores and enough memory")
	}
	if free(Options{Cores: 2, Memory: 1 << 30}) {
		t.Error("idle without memory")
	}
	debug.SetMemoryLimit(math.MaxInt64)
	if !free(Options{Cores: 2, Memory: 1 << 40}) {
		t.Error("not idle without a limit of the memory")
	}
	for _, text := range []string{"", "cpu 1 2 3\n", "cpu  1 1 1 1 1 1 1 x 1 1\n", strings.Repeat("cpu0 1 1 1 1 1 1 1 1 1\n", 2)} {
		if free(Options{Cores: 2}, text) {
			t.Errorf("idle with %q", text)
		}
	}
}

// Without a second core, and without the times of the cores, there is no Meter.
func TestNoMeter(t *testing.T) {
	machine := &machine{MapFS: fstest.MapFS{}}
	machine.pass(time.Second, 0, 0)
	if _, err := New(Options{Root: machine, Cores: 1}); err == nil || !strings.Contains(err.Error(), "single core") {
		t.Errorf("with one core: %v", err)
	}
	if _, err := New(Options{Root: fstest.MapFS{}, Cores: 2}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without /proc/stat: %v", err)
	}
}

// The reader understands the file of this system.
func TestReadsThisSystem(t *testing.T) {
	if _, err := os.Stat("/proc/stat"); err != nil {
		t.Skip("no /proc/stat here")
	}
	c, err := readCores(os.DirFS("/"))
	if err != nil || c.count < 1 || c.idle > c.total {
		t.Errorf("%+v, %v", c, err)
	}
}
