package main

import (
	"math"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 100, 2}, 3}} {
		of := slices.Clone(test.of)
		if got := median(of); got != test.want {
			t.Errorf("%v: got %v, want %v", test.of, got, test.want)
		}
		if !slices.Equal(of, test.of) {
			t.Errorf("%v was changed to %v", test.of, of)
		}
	}
	if got := ratios([]float64{6, 1}, []float64{3, 4}); !slices.Equal(got, []float64{2, 0.25}) {
		t.Errorf("ratios: got %v", got)
	}
}

func TestParseProcess(t *testing.T) {
	line := "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 150 25 9 9 20 0 1 0 100 1 1\n"
	want := process{42, 7, used{user: 1500 * time.Millisecond, system: 250 * time.Millisecond}}
	if got, err := parseProcess(line); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, line := range []string{"", "42 (a) S 7", "42 (a) S x 42 42 0 -1 4194560 1 2 3 4 150 25 9 9"} {
		if got, err := parseProcess(line); err == nil {
			t.Errorf("%q: got %+v and no error", line, got)
		}
	}
}

func TestParseSchedstat(t *testing.T) {
	if got, err := parseSchedstat("136345 88495 2\n"); err != nil || got != 136345 {
		t.Errorf("got %d ns, %v, want 136345", got, err)
	}
	for _, line := range []string{"", "12", "x 1 2\n", " 1 2"} {
		if got, err := parseSchedstat(line); err == nil {
			t.Errorf("%q: got %v and no error", line, got)
		}
	}
}

func TestParseShare(t *testing.T) {
	text := "cpu  100 1 50 700 9 2 3 40 60 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
	if got, err := parseShare(text); err != nil || got != (share{stolen: 40, all: 905}) {
		t.Errorf("got %+v, %v, want 40 of 905", got, err)
	}
	for _, text := range []string{"", "cpu  100 1 50 700 9 2 3", "cpu0 100 1 50 700 9 2 3 40", "cpu 100 1 50 700 9 2 3 x"} {
		if got, err := parseShare(text); err == nil {
			t.Errorf("%q: got %+v and no error", text, got)
		}
	}
}

// The processor time of a busy process is measured at a finer resolution than ticks.
func TestFamilyIsBusy(t *testing.T) {
	before, err := family(os.Getpid())
	if err != nil || len(before) == 0 {
		t.Fatalf("got %v, %v, want this process", before, err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		after, err := family(os.Getpid())
		if err != nil || len(after) == 0 {
			t.Fatalf("got %v, %v, want this process", after, err)
		}
		if spent := after[0].minus(before[0].used).busy; spent > 0 && spent%tick != 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("this process is busy for 10 s, and that is not seen")
		}
	}
}

func TestKernelShare(t *testing.T) {
	for u, want := range map[used]float64{{}: 0, {user: 3 * tick, system: tick}: 0.25} {
		if got := u.kernel(); got != want {
			t.Errorf("%+v: got %v, want %v", u, got, want)
		}
	}
}

// Each server has one slice in a turn, and each position equally often.
func TestOrder(t *testing.T) {
	const n = 5
	var places [n][n]int // count of each server at each position
	for turn := range 2 * n {
		for place, i := range order(turn, n) {
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
	var s series
	if err := s.add(loaded{requests: 100, seconds: 0.5}, used{250 * time.Millisecond, tick, 3 * tick}); err != nil {
		t.Fatal(err)
	}
	if want := (series{perCPU: []float64{400}, perWall: []float64{200}, kernel: []float64{0.75}, requests: 100, runs: 1}); !reflect.DeepEqual(s, want) {
		t.Errorf("got %+v, want %+v", s, want)
	}
	for _, bad := range []loaded{{}, {requests: 5, failed: 1}} {
		if err := s.add(bad, used{busy: 1}); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}

func TestBest(t *testing.T) {
	all := make([]series, contenders)
	all[ours].perCPU, all[nginx].perCPU, all[sending].perCPU = []float64{99}, []float64{3, 5, 4}, []float64{1, 3, 9}
	if got := best(all, nginx, sending); got != nginx {
		t.Errorf("got %s, want %s", names[got], names[nginx])
	}
}

func TestStraight(t *testing.T) {
	points := []point{{100, 12}, {200, 22}, {400, 42}}
	if got := straight(points); math.Abs(got.slope-0.1) > 1e-9 || math.Abs(got.base-2) > 1e-9 {
		t.Errorf("got %+v, want 2 + x/10", got)
	}
	l := line{slope: 0.1, base: 2}
	if x, off := l.farthest(append(points, point{300, 24}, point{500, 53})); x != 300 || math.Abs(off-0.25) > 1e-9 {
		t.Errorf("got %v at %v, want 0.25 at 300", off, x)
	}
	// The least-squares line has the mean of y: (0,0), (1,3), (2,0).
	if got := straight([]point{{0, 0}, {1, 3}, {2, 0}}); math.Abs(got.slope) > 1e-9 || math.Abs(got.base-1) > 1e-9 {
		t.Errorf("got %+v, want 1", got)
	}
}

func TestBelow(t *testing.T) {
	all := []process{{id: 1}, {id: 5, parent: 1}, {id: 9, parent: 5}, {id: 7, parent: 5}, {id: 8, parent: 7}, {id: 6, parent: 1}}
	var got []int
	for _, p := range below(5, all) {
		got = append(got, p.id)
	}
	slices.Sort(got)
	if want := []int{5, 7, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
