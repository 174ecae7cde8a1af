package prometheus

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/promtext"
)

// values returns the values of the process's and the runtime's metrics without
// labels.
func values(t *testing.T, started time.Time) map[string]float64 {
	t.Helper()
	m := &metricsText{}
	m.process(started)
	m.runtime()
	values := map[string]float64{}
	for _, family := range promtext.Parse(t, string(m.text)) {
		for _, s := range family.Samples {
			if len(s.Labels) == 0 {
				values[s.Name] = s.Value
			}
		}
	}
	return values
}

func TestProcessMetrics(t *testing.T) {
	runtime.GC()
	before := values(t, time.Unix(1000, 0))
	for name, value := range before {
		if value <= 0 {
			t.Errorf("%s %v", name, value)
		}
	}
	if before["process_start_time_seconds"] != 1000 || before["process_resident_memory_bytes"] > before["process_virtual_memory_bytes"] ||
		before["process_open_fds"] > before["process_max_fds"] {
		t.Errorf("%v", before)
	}
	end := make(chan struct{})
	defer close(end)
	for range 100 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		go func() { <-end }()
	}
	runtime.GC()
	after := values(t, time.Unix(1000, 0))
	if more := after["process_open_fds"] - before["process_open_fds"]; more < 100 || more > 105 {
		t.Errorf("%v open files more", more)
	}
	if more := after["go_goroutines"] - before["go_goroutines"]; more < 100 || more > 105 {
		t.Errorf("%v goroutines more", more)
	}
	for _, total := range []string{"go_memstats_alloc_bytes_total", "go_gc_duration_seconds_sum", "go_gc_duration_seconds_count"} {
		if after[total] <= before[total] {
			t.Errorf("%s was %v and is %v", total, before[total], after[total])
		}
	}
	if after["process_cpu_seconds_total"] < before["process_cpu_seconds_total"] {
		t.Errorf("CPU time fell from %v to %v", before["process_cpu_seconds_total"], after["process_cpu_seconds_total"])
	}
}
