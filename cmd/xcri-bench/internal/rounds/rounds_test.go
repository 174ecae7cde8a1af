package rounds

import (
	"reflect"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/neighbours"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/wrk"
)

// Each server has one slice in a turn, and each position equally often.
func TestOrder(t *testing.T) {
	const n = 5
	var places [n][n]int // count of each server at each position
	for turn := range 2 * n {
		for place, i := range Order(turn, n) {
			places[i][place]++
		}
	}
	for i, p := range places {
		if p != [n]int{2, 2, 2, 2, 2} {
			t.Errorf("%d was at its places %v times", i, p)
		}
	}
}

func TestBlockLength(t *testing.T) {
	// 6 servers with 10 slices each: 60 slices of 103 ms, and a second.
	if got := blockLength(6, 10); got != 8*time.Second {
		t.Errorf("got %v, want 8s", got)
	}
}

func TestAdd(t *testing.T) {
	var s Series
	if err := s.add(wrk.Result{Requests: 100, Seconds: 0.5}, machine.Used{Busy: 250 * time.Millisecond, User: machine.Tick, System: 3 * machine.Tick}); err != nil {
		t.Fatal(err)
	}
	if want := (Series{PerCPU: []float64{400}, perWall: []float64{200}, kernel: []float64{0.75}, Requests: 100, Runs: 1}); !reflect.DeepEqual(s, want) {
		t.Errorf("got %+v, want %+v", s, want)
	}
	for _, bad := range []wrk.Result{{}, {Requests: 5, Failed: 1}} {
		if err := s.add(bad, machine.Used{Busy: 1}); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}

func TestBest(t *testing.T) {
	all := make([]Series, neighbours.Contenders)
	all[neighbours.Ours].PerCPU, all[neighbours.Nginx].PerCPU, all[neighbours.Sending].PerCPU = []float64{99}, []float64{3, 5, 4}, []float64{1, 3, 9}
	if got := Best(all, neighbours.Nginx, neighbours.Sending); got != neighbours.Nginx {
		t.Errorf("got %s, want %s", neighbours.Names[got], neighbours.Names[neighbours.Nginx])
	}
}
