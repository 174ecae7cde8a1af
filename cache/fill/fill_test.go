package fill

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lewistv/xcri-proxy/cache/outage"
	"github.com/lewistv/xcri-proxy/cache/turns"
)

var errDown = errors.New("the origin does not answer")

// newFills returns fills of two slots. Keys that begin with costly are in that lane, and
// keys that end with elsewhere do not need the origin.
func newFills(t *testing.T, change func(*Options)) *Fills {
	opts := Options{
		Timeout: 20 * time.Second, Slots: 2, InLanes: true,
		Lane: func(key string) (turns.Lane, string) {
			if strings.HasPrefix(key, "costly") {
				return turns.Costly, "table"
			}
			return turns.Quick, "table"
		},
		IsDown:         func(err error) bool { return errors.Is(err, errDown) },
		FillsWhileDown: func(key string) bool { return strings.HasSuffix(key, "elsewhere") },
		Outage:         outage.New(nil), Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&opts)
	}
	f := New(opts)
	t.Cleanup(f.Close)
	return f
}

// wait ends with its context, as a load should.
func wait(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// All callers of Join get the result of one piece of work. Costly work ends with the
// last caller, other work goes on; and nothing is left of either.
func TestJoin(t *testing.T) {
	for key, ends := range map[string]bool{"costly": true, "quick": false} {
		synctest.Test(t, func(t *testing.T) {
			f, began := newFills(t, nil), 0
			work := func(parent context.Context) (any, error) {
				began++
				select {
				case <-parent.Done():
					return nil, context.Cause(parent)
				case <-time.After(time.Minute):
					return "done", nil
				}
			}
			first, leaveFirst := f.Join(key, "one", work)
			second, leaveSecond := f.Join(key, "one", work)
			leaveFirst()
			leaveSecond()
			for _, result := range []<-chan singleflight.Result{first, second} {
				if r := <-result; ends && r.Err != ErrAbandoned || !ends && (r.Val != "done" || r.Err != nil) {
					t.Errorf("%s: %v, %v", key, r.Val, r.Err)
				}
			}
			if began != 1 || len(f.waiters.of) != 0 {
				t.Errorf("%s: %d pieces of work, %d are left", key, began, len(f.waiters.of))
			}
		})
	}
}

// A caller that comes while costly work is being abandoned begins other work.
func TestJoinAfterTheLastHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFills(t, nil)
		late, leave := f.Join("costly", "one", func(parent context.Context) (any, error) {
			<-parent.Done()
			time.Sleep(time.Second) // ends late
			return nil, parent.Err()
		})
		leave()
		result, leave := f.Join("costly", "one", func(context.Context) (any, error) { return "done", nil })
		defer leave()
		if r := <-result; r.Val != "done" || r.Err != nil {
			t.Errorf("%v, %v", r.Val, r.Err)
		}
		<-late
	})
}

// The error of a load shows whether the origin is down, unless the fill was cancelled or
// does not need the origin during an outage. Each end is counted once.
func TestRun(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	abandoned, leave := context.WithCancelCause(t.Context())
	leave(ErrAbandoned)
	fails := func(context.Context) error { return errDown }
	for name, tt := range map[string]struct {
		ctx    context.Context
		key    string
		down   bool // before the fill
		load   func(context.Context) error
		is     error
		raises bool // an outage
		stats  Stats
	}{
		"succeeds":                {t.Context(), "k", false, func(context.Context) error { return nil }, nil, false, Stats{Fills: 1}},
		"fails":                   {t.Context(), "k", false, func(context.Context) error { return errors.ErrUnsupported }, errors.ErrUnsupported, false, Stats{Fills: 1, Failures: 1}},
		"finds the origin down":   {t.Context(), "k", false, fails, errDown, true, Stats{Fills: 1, Failures: 1}},
		"panics":                  {t.Context(), "k", false, func(context.Context) error { panic("no") }, nil, false, Stats{Fills: 1, Failures: 1, Panics: 1}},
		"is late":                 {t.Context(), "k", false, wait, context.DeadlineExceeded, false, Stats{Fills: 1, Failures: 1}},
		"is cancelled":            {cancelled, "k", false, fails, context.Canceled, false, Stats{Failures: 1}},
		"is abandoned":            {abandoned, "k", false, fails, context.Canceled, false, Stats{Abandoned: 1}},
		"in an outage":            {t.Context(), "k", true, fails, outage.ErrDown, false, Stats{Failures: 1}},
		"elsewhere, in an outage": {t.Context(), "elsewhere", true, func(context.Context) error { return nil }, nil, false, Stats{Fills: 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFills(t, func(o *Options) { o.Timeout = time.Hour })
			if tt.down {
				f.opts.Outage.Down(errors.New("before"))
			}
			before := f.opts.Outage.Era()
			doubtful, err := f.Run(tt.ctx, Beginner{}, tt.key, tt.load)
			if tt.is != nil && !errors.Is(err, tt.is) || (err == nil) != (tt.is == nil && tt.stats.Panics == 0) {
				t.Errorf("%s: error %v", name, err)
			}
			if doubtful != (tt.down && err == nil) {
				t.Errorf("%s: doubtful: %t", name, doubtful)
			}
			if raised := !tt.down && before.Err() != nil; raised != tt.raises {
				t.Errorf("%s: raised an outage: %t", name, raised)
			}
			if s := f.Stats(); s != tt.stats {
				t.Errorf("%s: %+v, want %+v", name, s, tt.stats)
			}
		})
	}
}

// A request that waits for a key counts until it is done.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFills(t, nil)
		end := make(chan struct{})
		go f.Run(t.Context(), Beginner{}, "k", func(context.Context) error { <-end; return nil })
		waiting := func(want int) {
			t.Helper()
			synctest.Wait()
			if all := f.Loading(); len(all) != 1 || all[0].Waiting != want {
				t.Errorf("%+v, want %d waiting", all, want)
			}
		}
		waiting(0)
		first, second, other := f.Wait("k"), f.Wait("k"), f.Wait("other")
		waiting(2)
		first()
		waiting(1)
		second()
		other()
		waiting(0)
		close(end)
		if synctest.Wait(); len(f.Loading()) != 0 || len(f.loads.waiting) != 0 {
			t.Errorf("left over: %+v", f.loads.waiting)
		}
	})
}

// At most half of the slots are taken by refreshes, and at least one may be.
func TestRefreshes(t *testing.T) {
	for slots, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 9: 4} {
		f, got := newFills(t, func(o *Options) { o.Slots = slots }), 0
		for f.BeginRefresh() {
			got++
		}
		if got != want {
			t.Errorf("%d slots: %d refreshes, want %d", slots, got, want)
		}
		for range got {
			f.EndRefresh()
		}
		if !f.BeginRefresh() {
			t.Error("an ended refresh still counts")
		}
		f.EndRefresh()
	}
}

// Close cancels the fills under way and waits for them. No fill begins afterwards.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFills(t, nil)
		var ended sync.WaitGroup
		ended.Go(func() {
			if _, err := f.Run(t.Context(), Beginner{}, "k", wait); !errors.Is(err, context.Canceled) {
				t.Errorf("a fill ended with %v", err)
			}
		})
		cleaned := false
		f.Go(func(ctx context.Context) {
			<-ctx.Done()
			time.Sleep(time.Second)
			cleaned = true
		})
		synctest.Wait()
		f.Close()
		if !cleaned {
			t.Error("Close did not wait")
		}
		ended.Wait()
		if _, err := f.Run(t.Context(), Beginner{}, "k", wait); !errors.Is(err, context.Canceled) || f.BeginRefresh() || f.Begin() {
			t.Errorf("begins after Close: %v", err)
		}
		f.Go(func(context.Context) { t.Error("goes on after Close") })
		if len(f.refreshes) != 0 {
			t.Error("a refresh that did not begin keeps its place")
		}
	})
}
