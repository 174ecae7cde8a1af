package slowest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

func request(tookMS float64) *api.Request { return &api.Request{At: time.Now(), TookMS: tookMS} }

// times returns the times of the requests that l returns.
func times(l *List) (ms []float64) {
	for _, r := range l.Slowest() {
		ms = append(ms, r.TookMS)
	}
	return ms
}

// TestSlowest: for any order of the requests of an hour, the slowest are kept and
// returned, the slowest first.
func TestSlowest(t *testing.T) {
	for _, n := range []int{0, 1, Kept, Kept + 1, 20 * Kept} {
		var l List
		var all []float64
		for i := range n {
			all = append(all, float64(i/2)) // each time twice
		}
		rand.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, ms := range all {
			l.Add(request(ms))
		}
		slices.SortFunc(all, func(a, b float64) int { return int(b - a) })
		if got := times(&l); !slices.Equal(got, all[:min(n, Kept)]) {
			t.Errorf("%d requests: %v", n, got)
		}
	}
	if got := (*List)(nil).Slowest(); got == nil || len(got) > 0 {
		t.Errorf("no List: %v", got)
	}
}

// TestDay: a request is returned for 24 hours, each hour has its own slowest requests,
// and slow requests of one hour do not displace slow requests of the next hour.
func TestDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l List
		for hour := range 3 * 24 {
			for range 2 * Kept {
				l.Add(request(float64(1000 - hour))) // each hour is faster than the last
			}
			time.Sleep(time.Hour)
			kept := 0
			for i := range l.buckets {
				kept += len(l.buckets[i].requests)
			}
			if kept > Kept*int(hours) {
				t.Fatalf("%d requests are kept", kept)
			}
			oldest := max(0, hour-23) // 24 h old
			if got := times(&l); len(got) != Kept || got[0] != float64(1000-oldest) || got[Kept-1] != got[0] {
				t.Fatalf("after hour %d: %v", hour, got)
			}
		}
		time.Sleep(23 * time.Hour)
		if got := times(&l); len(got) != Kept {
			t.Errorf("a day after the last: %v", got)
		}
		time.Sleep(time.Nanosecond)
		if got := times(&l); len(got) != 0 {
			t.Errorf("later: %v", got)
		}
	})
}

// TestFastRequests: once an hour has its slowest requests, a faster request is neither kept
// nor costs an allocation.
func TestFastRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l List
		for i := range Kept {
			l.Add(request(float64(100 + i)))
		}
		fast := request(99)
		if n := testing.AllocsPerRun(100, func() { l.Add(fast) }); n > 0 || slices.Contains(times(&l), 99) {
			t.Errorf("%v allocations, %v", n, times(&l))
		}
		l.Add(request(149.5))
		if got := times(&l); got[0] != 149.5 || got[Kept-1] != 101 {
			t.Errorf("%v", got)
		}
	})
}

// TestTextsAreBounded: a client can't make the list large with long texts, and the caller's
// request is not changed.
func TestTextsAreBounded(t *testing.T) {
	var l List
	long := strings.Repeat("x", 16<<10)
	r := request(1)
	r.Target, r.Key, r.Agent, r.Referer = "/teams/?"+long, "/teams/?"+long, long, long
	l.Add(r)
	got := l.Slowest()[0]
	if size := len(fmt.Sprint(got)); size > 2<<10 || !strings.HasPrefix(got.Target, "/teams/?x") {
		t.Errorf("%d bytes", size)
	}
	if len(r.Referer) != len(long) {
		t.Error("the caller's request was changed")
	}
}

func TestConcurrentUse(t *testing.T) {
	var l List
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 1000 {
				l.Add(request(float64(4*i + g)))
				if i%100 == 0 {
					l.Slowest()
				}
			}
		})
	}
	all.Wait()
	if got := times(&l); got[0] != 3999 || got[Kept-1] != 3950 {
		t.Errorf("%v", got)
	}
}
