package machine

import (
	"os"
	"slices"
	"testing"
	"time"
)

func TestParseProcess(t *testing.T) {
	line := "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 150 25 9 9 20 0 1 0 100 1 1\n"
	want := process{42, 7, Used{User: 1500 * time.Millisecond, System: 250 * time.Millisecond},
		Used{Busy: 180 * time.Millisecond, User: 90 * time.Millisecond, System: 90 * time.Millisecond}}
	if got, err := parseProcess(line); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, line := range []string{"", "42 (a) S 7", "42 (a) S x 42 42 0 -1 4194560 1 2 3 4 150 25 9 9", "42 (a) S 7 42 42 0 -1 4194560 1 2 3 4 150 25 9"} {
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
	if got, err := parseShare(text); err != nil || got != (Share{stolen: 40, all: 905}) {
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
	for deadline := time.Now().Add(time.Minute); ; {
		after, err := family(os.Getpid())
		if err != nil || len(after) == 0 {
			t.Fatalf("got %v, %v, want this process", after, err)
		}
		if spent := after[0].Minus(before[0].Used).Busy; spent > 0 && spent%Tick != 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("this process is busy for 10 s, and that is not seen")
		}
	}
}

func TestKernelShare(t *testing.T) {
	for u, want := range map[Used]float64{{}: 0, {User: 3 * Tick, System: Tick}: 0.25} {
		if got := u.Kernel(); got != want {
			t.Errorf("%+v: got %v, want %v", u, got, want)
		}
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
