package fill

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/cache/turns"
)

// A load that needs the origin ends with an outage that begins meanwhile, and gets its
// error; a load that does not need it goes on. A success keeps its answer, which is
// doubtful only if it came from elsewhere during an outage.
func TestOutageDuringALoad(t *testing.T) {
	for name, tt := range map[string]struct {
		key      string
		ends     error // of the load
		is       []error
		doubtful bool
	}{
		"fails":                 {"k", errors.ErrUnsupported, []error{errDown}, false},
		"succeeds":              {"k", nil, nil, false},
		"fails elsewhere":       {"elsewhere", errors.ErrUnsupported, []error{errors.ErrUnsupported}, false},
		"succeeds elsewhere":    {"elsewhere", nil, nil, true},
		"finds it down as well": {"k", errors.New("reset"), []error{errDown}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFills(t, nil)
				doubtful, err := f.Run(t.Context(), Beginner{}, tt.key, func(ctx context.Context) error {
					f.opts.Outage.Down(errDown)
					synctest.Wait()
					if ended := ctx.Err() != nil; ended != (tt.key == "k") {
						t.Errorf("the load ends: %t", ended)
					}
					return tt.ends
				})
				if (err != nil) != (tt.ends != nil) || doubtful != tt.doubtful {
					t.Errorf("doubtful %t, %v", doubtful, err)
				}
				for _, is := range tt.is {
					if !errors.Is(err, is) {
						t.Errorf("%v is not %v", err, is)
					}
				}
			})
		})
	}
	f := newFills(t, nil) // without an outage
	if doubtful, err := f.Run(t.Context(), Beginner{}, "elsewhere", func(context.Context) error { return nil }); doubtful || err != nil {
		t.Errorf("doubtful %t, %v", doubtful, err)
	}
}

// A fill whose caller or cache has ended it says nothing about the origin.
func TestCancelledLoadRaisesNoOutage(t *testing.T) {
	for name, stop := range map[string]func(f *Fills, cancel func()){
		"by its caller": func(_ *Fills, cancel func()) { cancel() },
		"by Close":      func(f *Fills, _ func()) { f.stop() },
	} {
		f := newFills(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := f.Run(ctx, Beginner{}, "k", func(context.Context) error {
			stop(f, cancel)
			return errDown
		})
		if _, down := f.opts.Outage.Since(); down != nil || !errors.Is(err, errDown) || f.Stats().Failures != 1 {
			t.Errorf("%s: down %v, %v, %+v", name, down, err, f.Stats())
		}
	}
}

// A fill that could not begin counts as a failure.
func TestRunAfterClose(t *testing.T) {
	f := newFills(t, nil)
	f.Close()
	if doubtful, err := f.Run(t.Context(), Beginner{}, "k", wait); doubtful || err == nil || f.Stats().Failures != 1 {
		t.Errorf("doubtful %t, %v, %+v", doubtful, err, f.Stats())
	}
}

// Work goes on for as long as one of its callers waits.
func TestWorkGoesOnForTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFills(t, nil)
		var parent context.Context
		work := func(ctx context.Context) (any, error) {
			parent = ctx
			return nil, wait(ctx)
		}
		_, leaveFirst := f.Join("costly", "one", work)
		result, leaveSecond := f.Join("costly", "one", work)
		synctest.Wait()
		if leaveFirst(); parent.Err() != nil {
			t.Error("it ends with the first caller")
		}
		if leaveSecond(); context.Cause(parent) != ErrAbandoned {
			t.Error("it does not end with the last")
		}
		<-result
	})
}

// The fills under way are listed in the order of their beginnings, with their lanes and
// the times at which they began to wait and to load.
func TestLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFills(t, nil) // one of two slots is for costly fills
		start, end := time.Now(), make(chan struct{})
		for i, key := range []string{"costly 2", "costly 1", "quick"} {
			if i == 2 {
				time.Sleep(time.Second)
			}
			go f.Run(t.Context(), Beginner{Client: "client of " + key, Request: "request of " + key}, key, func(context.Context) error { <-end; return nil })
			synctest.Wait()
		}
		time.Sleep(time.Second)
		load := func(key string, lane turns.Lane, queued, began time.Time) Load {
			now, times := phase.Load, phase.Times{}
			if began.IsZero() {
				now = phase.Queue
			}
			times[now] = time.Since(queued)
			return Load{Phase: now, Times: times, Key: key, Lane: lane, Group: "table", Client: "client of " + key, Request: "request of " + key, Queued: queued, Began: began}
		}
		want := []Load{load("costly 1", turns.Costly, start, time.Time{}), load("costly 2", turns.Costly, start, start), load("quick", turns.Quick, start.Add(time.Second), start.Add(time.Second))}
		got := f.Loading()
		if len(got) != len(want) {
			t.Fatalf("%+v", got)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%+v, want %+v", got[i], want[i])
			}
		}
		if !f.ClockOf("quick").Started().Equal(start.Add(time.Second)) || f.ClockOf("other") != nil {
			t.Error("another clock")
		}
		close(end)
		if synctest.Wait(); len(f.Loading()) != 0 {
			t.Errorf("left over: %+v", f.Loading())
		}
	})
}

// A fill that took Options.Slow or longer leaves a line with the time that it waited and
// the time that it loaded; a shorter fill leaves none, and zero logs none.
func TestSlow(t *testing.T) {
	for name, tt := range map[string]struct {
		slow, load time.Duration
		by         Beginner
		err        error
		want       string
	}{
		"short":  {slow: time.Second, load: time.Second - 1},
		"slow":   {slow: time.Second, load: time.Second, want: "key=k lane=quick took=1s waited=0s loaded=1s group=table"},
		"known":  {slow: 1, load: time.Second, by: Beginner{Client: "c", Request: "r"}, want: "key=k lane=quick took=1s waited=0s loaded=1s group=table client=c request_id=r"},
		"failed": {slow: 1, load: time.Second, err: errors.New("lost"), want: "key=k lane=quick took=1s waited=0s loaded=1s group=table error=lost"},
		"off":    {slow: 0, load: time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			f := newFills(t, func(o *Options) {
				o.Slow, o.Logger = tt.slow, slog.New(slog.NewTextHandler(&log, nil))
			})
			f.Run(t.Context(), tt.by, "k", func(context.Context) error { time.Sleep(tt.load); return tt.err })
			_, got, _ := strings.Cut(strings.TrimSpace(log.String()), `msg="slow fill" `)
			if got != tt.want {
				t.Errorf("%s: %q, want %q", name, got, tt.want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // a fill that never gets its turn
		var log bytes.Buffer
		f := newFills(t, func(o *Options) {
			o.Slots, o.Slow, o.Logger = 1, 1, slog.New(slog.NewTextHandler(&log, nil))
		})
		end := make(chan struct{})
		go f.Run(t.Context(), Beginner{}, "first", func(context.Context) error { <-end; return nil })
		synctest.Wait()
		f.Run(t.Context(), Beginner{}, "second", wait)
		if want := `key=second lane=quick took=20s waited=20s loaded=0s group=table error="context deadline exceeded"`; !strings.Contains(log.String(), want) {
			t.Errorf("%s\nwant %s", log.String(), want)
		}
		close(end)
		synctest.Wait()
	})
}

// The line of a panic has the key and the stack.
func TestPanicIsLogged(t *testing.T) {
	var log bytes.Buffer
	f := newFills(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	f.Run(t.Context(), Beginner{}, "k", func(context.Context) error { panic("no") })
	if line := log.String(); !strings.Contains(line, "key=k") || !strings.Contains(line, "panic=no") || !strings.Contains(line, "TestPanicIsLogged") {
		t.Error(line)
	}
}
