package prometheus

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/process"
)

// process writes the metrics of the process, with the names that all clients of
// Prometheus share. Without /proc the memory and the open files are zero.
func (m *metricsText) process(started time.Time) {
	var used syscall.Rusage
	var files syscall.Rlimit
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files)
	cpu := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	virtual, resident := process.Memory()
	m.one("process_cpu_seconds_total", counter, "Total user and system CPU time spent in seconds.", cpu.Seconds())
	m.one("process_start_time_seconds", gauge, "Start time of the process, in seconds since 1970.", unixSeconds(&started))
	m.one("process_open_fds", gauge, "Number of open file descriptors.", float64(process.OpenFiles()))
	m.one("process_max_fds", gauge, "Maximum number of open file descriptors.", float64(files.Cur))
	m.one("process_resident_memory_bytes", gauge, "Resident memory size in bytes.", float64(resident))
	m.one("process_virtual_memory_bytes", gauge, "Virtual memory size in bytes.", float64(virtual))
}

// runtime writes the metrics of the Go runtime, with the names that the Go client
// of Prometheus gives them.
func (m *metricsText) runtime() {
	m.one("go_info", gauge, "Information about the Go environment; always 1.", 1, "version", runtime.Version())
	m.one("go_goroutines", gauge, "Number of goroutines that currently exist.", float64(runtime.NumGoroutine()))
	m.one("go_threads", gauge, "Number of OS threads created.", float64(pprof.Lookup("threadcreate").Count()))
	for _, of := range []struct{ family, kind, help, sample string }{
		{"go_sched_gomaxprocs_threads", gauge, "Number of OS threads that can execute Go code simultaneously.", "/sched/gomaxprocs:threads"},
		{"go_gc_gomemlimit_bytes", gauge, "Memory limit of the Go runtime.", "/gc/gomemlimit:bytes"},
		{"go_memstats_alloc_bytes", gauge, "Number of bytes of heap objects.", "/memory/classes/heap/objects:bytes"},
		{"go_memstats_alloc_bytes_total", counter, "Total number of bytes allocated in the heap, even if freed.", "/gc/heap/allocs:bytes"},
		{"go_memstats_heap_objects", gauge, "Number of heap objects.", "/gc/heap/objects:objects"},
		{"go_memstats_sys_bytes", gauge, "Number of bytes obtained from the system.", "/memory/classes/total:bytes"},
	} {
		sample := []metrics.Sample{{Name: of.sample}}
		metrics.Read(sample)
		m.one(of.family, of.kind, of.help, float64(sample[0].Value.Uint64()))
	}
	pauses := debug.GCStats{PauseQuantiles: make([]time.Duration, 5)}
	debug.ReadGCStats(&pauses)
	m.begin("go_gc_duration_seconds", summary, "Pauses of the program in garbage collection.")
	for i, quantile := range []string{"0", "0.25", "0.5", "0.75", "1"} {
		m.add("", pauses.PauseQuantiles[i].Seconds(), "quantile", quantile)
	}
	m.add("_sum", pauses.PauseTotal.Seconds())
	m.add("_count", float64(pauses.NumGC))
}
